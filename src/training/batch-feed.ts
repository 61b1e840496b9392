import type { Batch } from './batch.js';

/** Makes a batch of an epoch; one that needs the model to be made takes its time. */
export type MakeBatch = (index: number) => Batch | Promise<Batch>;

/** The batches of an epoch, in order; some can be made ahead while the engine is at work. */
export class BatchFeed {
  readonly #make: MakeBatch;
  readonly #count: number;
  readonly #ahead: number;
  readonly #made = new Map<number, Batch | Promise<Batch>>();

  /** @param ahead how many batches are made before they are needed */
  constructor(make: MakeBatch, count: number, ahead: number) {
    this.#make = make;
    this.#count = count;
    this.#ahead = ahead;
  }

  take(index: number): Batch | Promise<Batch> {
    const batch = this.#made.get(index) ?? this.#make(index);
    this.#made.delete(index);
    return batch;
  }

  /** Makes those that come after `index`; to be called when the engine has what it needs. */
  prepare(index: number): void {
    for (let next = index + 1; next <= Math.min(this.#count - 1, index + this.#ahead); next++) {
      if (!this.#made.has(next)) this.#made.set(next, this.#make(next));
    }
  }
}
