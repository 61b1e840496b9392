/**
 * Pseudo-random numbers that are the same on every machine. A generator is named by a seed and any path of numbers
 * behind it (epoch, step, row, …), so that a draw can be repeated without replaying those before it.
 *
 * xoshiro128++ (Blackman and Vigna, 2019), its state filled by hashing the path.
 */
export class Random {
  readonly #state: Uint32Array;

  constructor(seed: number, ...stream: number[]) {
    // The number of words takes part, so that a path is not the start of a longer one.
    const words = [stream.length, ...[seed, ...stream].flatMap(wordsOf)];
    this.#state = Uint32Array.from({ length: 4 }, (_, i) => words.reduce((hash, word) => mix(hash ^ word), mix(i + 1)));
  }

  /** Uniform in [0, 2³²). */
  uint32(): number {
    const s = this.#state;
    const result = (rotate(s[0]! + s[3]!, 7) + s[0]!) >>> 0;
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = rotate(s[3]!, 11);
    return result;
  }

  /** Uniform in [0, 1), with 53 bits. */
  next(): number {
    return ((this.uint32() >>> 5) * 2 ** 26 + (this.uint32() >>> 6)) / 2 ** 53;
  }

  /** Uniform integer in [0, limit), limit ≤ 2³²: numbers from an incomplete last range are drawn again. */
  below(limit: number): number {
    const fair = 2 ** 32 - (2 ** 32 % limit);
    for (;;) {
      const drawn = this.uint32();
      if (drawn < fair) return drawn % limit;
    }
  }
}

/** The numbers 0 … count−1 in an order fixed by the seed and the path behind it (Fisher and Yates). */
export function shuffledIndices(count: number, seed: number, ...stream: number[]): Uint32Array {
  const indices = Uint32Array.from({ length: count }, (_, i) => i);
  const random = new Random(seed, ...stream);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [indices[i], indices[j]] = [indices[j]!, indices[i]!];
  }
  return indices;
}

/** A double as two words, so that seeds beyond 32 bits, negative or fractional count in full; −0 is 0. */
function wordsOf(value: number): [number, number] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value + 0);
  return [view.getUint32(0), view.getUint32(4)];
}

/** A bijection of 32-bit words whose every output bit depends on every input bit (Wellons' lowbias32). */
function mix(word: number): number {
  let x = (word + 0x9e3779b9) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
