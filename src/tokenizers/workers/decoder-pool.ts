import { availableParallelism } from 'node:os';
import { fail } from '../../errors.js';
import type { DecodeOptions, Tokenizer } from '../tokenizer.js';
import { TokenizerThread } from './thread.js';

/** Token sequences that a thread takes at once. */
const CHUNK = 500;
const MOST_WORKERS = 8;

/** Turns tokens into texts in worker threads, which start with the first of them and last until its end. */
export class DecoderPool {
  readonly #tokenizer: Tokenizer;
  readonly #workers: number;
  readonly #chunk: number;
  #threads: TokenizerThread[] = [];

  /**
   * @param workers threads; default: as many as there are processors, up to 8
   * @param chunk sequences that a thread takes at once
   */
  constructor(tokenizer: Tokenizer, workers = Math.min(MOST_WORKERS, availableParallelism()), chunk = CHUNK) {
    this.#tokenizer = tokenizer;
    this.#workers = workers;
    this.#chunk = chunk;
  }

  /** As {@link Tokenizer.decodeBatch}. A tokenizer that threads cannot make anew decodes in this one. */
  async decode(batch: readonly ArrayLike<number>[], options?: DecodeOptions): Promise<string[]> {
    const { modelType } = this.#tokenizer;
    if (modelType === undefined) return this.#tokenizer.decodeBatch(batch, options);
    if (this.#threads.length === 0) {
      const setup = { files: this.#tokenizer.files(), modelType };
      this.#threads = Array.from({ length: this.#workers }, () => new TokenizerThread(setup));
    }
    const starts = Array.from({ length: Math.ceil(batch.length / this.#chunk) }, (_, i) => i * this.#chunk);
    const runs = await Promise.all(
      starts.map((start, i) =>
        this.#threads[i % this.#threads.length]!.decode(batch.slice(start, start + this.#chunk), options),
      ),
    );
    for (const { failure } of runs) if (failure) fail(failure.area, failure.message);
    return runs.flatMap(({ texts }) => texts);
  }

  async end(): Promise<void> {
    await Promise.all(this.#threads.splice(0).map((thread) => thread.end()));
  }
}
