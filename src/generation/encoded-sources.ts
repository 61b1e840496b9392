import type { Tensor } from '../engine/index.js';
import { disposeAll, feedTensors, packSource } from '../models/index.js';
import type { GenerationPrograms } from './programs.js';

/** Places of a rectangle that the encoder runs over at once; a longer source is one alone. */
const MOST_PLACES = 2048;

/** A source as decoding sees it, until the next one is asked for. */
export interface EncodedSource {
  readonly length: number;
  /** Of a batch of sources: keys and values of every layer, [items, heads, batchLength, size], by name. */
  readonly batch: Readonly<Record<string, Tensor>>;
  readonly batchLength: number;
  /** Its place in the batch. */
  readonly item: number;
}

/** Sources that are encoded in their order, several at once shortly before the first of them is needed. */
export class EncodedSources {
  readonly #programs: GenerationPrograms;
  readonly #sources: readonly Int32Array[];
  readonly #most: number;
  readonly #hiddenId: number | undefined;
  #next = 0;
  #first = 0;
  #encoded: readonly Int32Array[] = [];
  #batch: Record<string, Tensor> = {};

  /**
   * @param most sources that are encoded at once
   * @param hiddenId a token that the encoder's attention does not see
   */
  constructor(programs: GenerationPrograms, sources: readonly Int32Array[], most: number, hiddenId?: number) {
    this.#hiddenId = hiddenId;
    this.#programs = programs;
    this.#sources = sources;
    this.#most = most;
  }

  async next(): Promise<EncodedSource> {
    if (this.#next === this.#first + this.#encoded.length) await this.#encode();
    const item = this.#next++ - this.#first;
    const batchLength = Math.max(...this.#encoded.map(({ length }) => length));
    return { length: this.#encoded[item]!.length, batch: this.#batch, batchLength, item };
  }

  dispose(): void {
    disposeAll(this.#batch);
    this.#batch = {};
  }

  async #encode(): Promise<void> {
    this.dispose();
    this.#first = this.#next;
    let [count, longest] = [0, 0];
    while (count < this.#most && this.#first + count < this.#sources.length) {
      longest = Math.max(longest, this.#sources[this.#first + count]!.length);
      if (count > 0 && (count + 1) * longest > MOST_PLACES) break;
      count++;
    }
    this.#encoded = this.#sources.slice(this.#first, this.#first + count);
    const { countedBehind } = this.#programs.architecture;
    const fed = feedTensors(packSource([this.#encoded], { countedBehind, hiddenId: this.#hiddenId }));
    this.#batch = await this.#programs.encoder.run(fed);
    disposeAll(fed);
  }
}
