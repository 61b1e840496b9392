import { compile, type Program, type Tensor } from '../engine/index.js';
import {
  Builder,
  disposeAll,
  feedTensors,
  type ModelWeights,
  packTexts,
  type Retrieval,
  textInput,
  weightInputs,
} from '../models/index.js';

/** Turns questions into vectors, by the weights as they are at the time. */
export class QuestionEncoder {
  readonly #program: Program;
  readonly #inputs: Readonly<Record<string, Tensor>>;

  constructor(retrieval: Retrieval, weights: ModelWeights, threads: number) {
    const blocksOf = (name: string) => weights.quantized.get(name)?.blocks;
    const m = Builder.create({ parameters: weights.specs.values(), training: false, blocksOf });
    const vectors = retrieval.encodeQuestions(m, textInput());
    this.#program = compile({ vectors }, { name: 'question encoder', threads });
    this.#inputs = weightInputs(this.#program, weights);
  }

  /** [questions, size] */
  async encode(questions: readonly Int32Array[]): Promise<Float32Array> {
    const fed = feedTensors(packTexts(questions), this.#program);
    const results = await this.#program.run({ ...this.#inputs, ...fed });
    const vectors = results.vectors!.data as Float32Array;
    disposeAll(fed, results);
    return vectors;
  }

  dispose(): void {
    this.#program.dispose();
    disposeAll(this.#inputs);
  }
}
