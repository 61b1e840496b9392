/**
 * Memory for attention caches, used again by the next batch: fresh memory costs a page fault for every 4 KB, which is
 * more than the decoding step that first writes to it. What is taken holds leftovers; slots not yet written are hidden
 * from attention.
 */
export class CacheMemory {
  readonly #free: Float32Array[] = [];

  take(length: number): Float32Array {
    this.#free.sort((a, b) => a.length - b.length);
    const index = this.#free.findIndex((array) => array.length >= length);
    if (index >= 0) return this.#free.splice(index, 1)[0]!;
    // The smallest makes place for the new one, so that the pool keeps its number of arrays.
    this.#free.shift();
    return new Float32Array(length);
  }

  giveBack(array: Float32Array): void {
    this.#free.push(array);
  }

  clear(): void {
    this.#free.length = 0;
  }
}
