import { Tensor } from '../engine/index.js';
import { CachedDecoder, type DecoderShape } from './decoder.js';
import { allLogits, bestTokens } from './decoder-head.js';
import type { GenerationPrograms } from './programs.js';
import type { BestTokens, StepDecoder } from './step-decoder.js';

/** A question with what was found for it. */
export interface ReadDocuments {
  /** Each document with the question behind it, as token ids. */
  readonly contexts: readonly Int32Array[];
  /** log p(document), one for each. */
  readonly logProbs: Float32Array;
}

/**
 * A model that reads all documents of a question at once and says of each next token how likely it is over all of them
 * (RAG-Token of Lewis et al. 2020). Inside, each document has a slot; those of a question lie side by side, and all go on with
 * the same tokens.
 */
export class MarginalDecoder implements StepDecoder {
  readonly vocabSize: number;
  readonly #programs: GenerationPrograms;
  readonly #inner: CachedDecoder;
  readonly #documents: number;
  readonly #beams: number;
  readonly #waiting: Iterator<ReadDocuments>;
  /** By slot. */
  readonly #logProbs: Float32Array[] = [];

  /** @param questions in the order in which they are started, all with as many documents */
  constructor(programs: GenerationPrograms, questions: readonly ReadDocuments[], shape: DecoderShape) {
    this.#documents = questions[0]!.contexts.length;
    this.#beams = shape.beams;
    this.#programs = programs;
    this.#waiting = questions.values();
    const contexts = questions.flatMap((question) => question.contexts);
    this.#inner = new CachedDecoder(programs, contexts, { ...shape, slots: shape.slots * this.#documents });
    this.vocabSize = this.#inner.vocabSize;
  }

  async start(slot: number): Promise<void> {
    this.#logProbs[slot] = this.#waiting.next().value!.logProbs;
    for (let document = 0; document < this.#documents; document++) {
      await this.#inner.start(slot * this.#documents + document);
    }
  }

  drop(slot: number): void {
    const last = this.#logProbs.pop()!;
    if (slot < this.#logProbs.length) this.#logProbs[slot] = last;
    // From behind, so that the last item's documents come into the gap in their order.
    for (let document = this.#documents - 1; document >= 0; document--) {
      this.#inner.drop(slot * this.#documents + document);
    }
  }

  async advance(tokens: Int32Array, parents: Int32Array): Promise<void> {
    await this.#inner.advance(this.#forEachDocument(tokens), this.#forEachDocument(parents));
  }

  async candidates(count: number, banned?: readonly (readonly number[])[]): Promise<BestTokens> {
    const program = this.#programs.best(count, { banning: banned !== undefined, marginal: this.#marginal });
    return this.#withPriors((priors) =>
      bestTokens(program, { hidden: this.#inner.hidden, 'documents.logProbs': priors }, count, banned),
    );
  }

  /** Log-probabilities, which Transformers takes for logits here. */
  async logits(): Promise<Float32Array> {
    const program = this.#programs.logits(this.#marginal);
    return this.#withPriors((priors) =>
      allLogits(program, { hidden: this.#inner.hidden, 'documents.logProbs': priors }),
    );
  }

  dispose(): void {
    this.#inner.dispose();
  }

  get #marginal() {
    return { documents: this.#documents, beams: this.#beams };
  }

  async #withPriors<T>(use: (priors: Tensor) => Promise<T>): Promise<T> {
    const priors = Float32Array.from(this.#logProbs.flatMap((each) => [...each]));
    const tensor = Tensor.from(priors, [this.#logProbs.length, this.#documents]);
    try {
      return await use(tensor);
    } finally {
      tensor.dispose();
    }
  }

  /** [items·beams] → [items·documents·beams] */
  #forEachDocument(values: Int32Array): Int32Array {
    const beams = this.#beams;
    const spread = new Int32Array(values.length * this.#documents);
    for (let item = 0; item * beams < values.length; item++) {
      const own = values.subarray(item * beams, (item + 1) * beams);
      for (let document = 0; document < this.#documents; document++) {
        spread.set(own, (item * this.#documents + document) * beams);
      }
    }
    return spread;
  }
}
