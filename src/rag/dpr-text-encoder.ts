import { createHash } from 'node:crypto';
import { type Checkpoint, checkFinite, matchWeights, openCheckpoint } from '../checkpoints/index.js';
import { compile, type Program, type Tensor } from '../engine/index.js';
import { fail } from '../errors.js';
import {
  Builder,
  ConfigReader,
  type DprEncoder,
  type DprSide,
  disposeAll,
  dprEncoder,
  feedTensors,
  ModelWeights,
  packTexts,
  textInput,
  weightTensor,
} from '../models/index.js';
import { loadTokenizer, type Tokenizer } from '../tokenizers/index.js';
import { asDpr } from './dpr-checkpoint.js';
import { encodePair } from './pair-tokens.js';
import type { Passage } from './passage.js';

/** Turns passages, or questions, into vectors: one side of DPR, or a BERT in its place. */
export class DprTextEncoder {
  /** Numbers of a vector. */
  readonly size: number;
  readonly #weights: ModelWeights;
  readonly #tokenizer: Tokenizer;
  readonly #maxLength: number;
  readonly #program: Program;
  readonly #constants: Readonly<Record<string, Tensor>>;

  private constructor(encoder: DprEncoder, weights: ModelWeights, tokenizer: Tokenizer, threads: number) {
    this.size = encoder.size;
    this.#weights = weights;
    this.#tokenizer = tokenizer;
    this.#maxLength = Math.min(encoder.maxLength, tokenizer.modelMaxLength ?? Number.POSITIVE_INFINITY);
    const m = Builder.create({ parameters: encoder.parameters, training: false });
    const vectors = encoder.encode(m, textInput());
    this.#constants = Object.fromEntries(m.parameterNames.map((name) => [name, weightTensor(weights, name)]));
    this.#program = compile({ vectors }, { name: 'text encoder', threads, constants: this.#constants });
  }

  /** @param directory of an encoder of that side or a BERT, with its tokenizer */
  static load(directory: string, threads: number, side: DprSide = 'context'): DprTextEncoder {
    const checkpoint = openCheckpoint(directory);
    try {
      const opened = asDpr<Checkpoint>(checkpoint, side, directory);
      const encoder = dprEncoder(new ConfigReader(opened.config), side);
      const { matched } = matchWeights(opened.weights, encoder.parameters, { architecture: `a ${side} encoder` });
      const weights = new ModelWeights(encoder.parameters);
      for (const [name, weight] of matched) {
        weight.read(weights.array(name));
        if (!weights.isFinite(name)) checkFinite(name, weights.array(name));
      }
      const tokenizer = loadTokenizer(directory, 'bert');
      if (tokenizer.vocabSize > encoder.vocabSize) {
        fail(
          'tokenizer',
          `that of ${directory} has ${tokenizer.vocabSize} tokens, but the encoder has embeddings for ${encoder.vocabSize}. ` +
            'Use the tokenizer that the encoder was trained with.',
        );
      }
      return new DprTextEncoder(encoder, weights, tokenizer, threads);
    } finally {
      checkpoint.close();
    }
  }

  tokensOf(question: string): Int32Array {
    return this.#tokenizer.encode(question, { maxLength: this.#maxLength });
  }

  tokens({ title, text }: Passage): Int32Array {
    return encodePair(this.#tokenizer, title, text, this.#maxLength);
  }

  /** [texts, size] */
  async encode(texts: readonly Int32Array[]): Promise<Float32Array> {
    const fed = feedTensors(packTexts(texts), this.#program);
    const results = await this.#program.run(fed);
    const vectors = results.vectors!.data as Float32Array;
    disposeAll(fed, results);
    return vectors;
  }

  /** What tells its vectors from those of another encoder: a hash of its weights and its tokenizer. */
  fingerprint(): string {
    const hash = createHash('sha256');
    for (const name of this.#weights.specs.keys()) hash.update(name).update(this.#weights.array(name));
    for (const [name, content] of this.#tokenizer.files()) hash.update(name).update(content);
    return hash.digest('hex');
  }

  dispose(): void {
    this.#program.dispose();
    disposeAll(this.#constants);
  }
}
