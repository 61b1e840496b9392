import { type KernelPool, type KernelTask, SharedMemory, task } from '../kernels/index.js';

/** A mask to draw: `length` bytes of which a share `rate` is 0 and the rest 1. */
export interface MaskRequest {
  readonly length: number;
  readonly rate: number;
}

const ALIGNMENT = 64;
const PIECE = 1 << 20;
const MAX_BYTES = 2 ** 32 - 65536;

/** 32 bits of (seed, step, site), each of which changes all of them (the mixer of MurmurHash3). */
function hash(seed: number, step: number, site: number, round: number): number {
  let h = round;
  for (const value of [seed, step, site]) {
    h = Math.imul(h ^ (value | 0), 0x85ebca6b) + 0x9e3779b9;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
  }
  return h | 0;
}

/**
 * Dropout masks as a function of seed, step and site alone, so that a run can be repeated, and resumed, to the bit.
 * All masks of a step lie in one memory that is reused for the next.
 */
export class DropoutMasks {
  readonly #seed: number;
  readonly #pool: KernelPool;
  readonly #memory = new SharedMemory(0, MAX_BYTES);

  constructor(seed: number, pool: KernelPool) {
    this.#seed = seed;
    this.#pool = pool;
  }

  /** Draws a mask for each request. They are valid until the next call. */
  async draw(step: number, requests: readonly MaskRequest[]): Promise<Uint8Array[]> {
    const tasks: KernelTask[] = [];
    const offsets: number[] = [];
    let end = 0;
    for (const [site, { length, rate }] of requests.entries()) {
      offsets.push(end);
      const [key1, key2] = [hash(this.#seed, step, site, 1), hash(this.#seed, step, site, 2)];
      const threshold = Math.round(rate * 65536);
      for (let start = 0; start < length; start += PIECE) {
        const count = Math.min(PIECE, length - start);
        tasks.push(task(this.#memory, 'dropoutMask', count, [end + start, count, key1, key2, start / 2, threshold]));
      }
      end += Math.ceil(length / ALIGNMENT) * ALIGNMENT;
    }
    this.#memory.reserve(end);
    await this.#pool.run(tasks);
    const { buffer } = this.#memory.memory;
    return requests.map(({ length }, site) => new Uint8Array(buffer, offsets[site], length));
  }

  dispose(): void {
    this.#pool.forget(this.#memory);
  }
}
