import { fail } from '../errors.js';
import { byteAlphabet, toByteAlphabet } from './byte-alphabet.js';
import { MinHeap } from './min-heap.js';

export type Merge = readonly [left: string, right: string];

export interface BytePairOptions {
  /** Id for bytes that the vocabulary lacks; without one they are dropped. */
  unkId?: number | undefined;
  /** One unknown token for a run of unknown bytes. */
  fuseUnk?: boolean | undefined;
  /** A word that is a token needs no merging. */
  ignoreMerges?: boolean | undefined;
}

/** Words seen are remembered: text repeats itself, and merging costs fifty times a look-up. */
const CACHED_WORDS = 1 << 16;
const LONGEST_CACHED_WORD = 64;
/** A queued merge is one number, `rank · 2²⁷ + position`, so the least is the one to do next. */
const POSITIONS = 2 ** 27;
/** In place of a symbol that its left neighbour has taken in, or of a rank. */
const NONE = -1;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Byte pair encoding of single words: from their bytes, the lowest-ranked adjacent pair is joined until none is left. */
export class BytePairEncoder {
  readonly #vocab: ReadonlyMap<string, number>;
  readonly #options: BytePairOptions;
  readonly #idOfByte: readonly (number | undefined)[];
  /** `left · base + right` → rank, and rank → the joined token's id. */
  readonly #ranks = new Map<number, number>();
  readonly #joined: Int32Array;
  readonly #base: number;
  readonly #cache = new Map<string, Int32Array>();

  constructor(vocab: ReadonlyMap<string, number>, merges: readonly Merge[], options: BytePairOptions = {}) {
    this.#vocab = vocab;
    this.#options = options;
    this.#idOfByte = byteAlphabet().map((character) => vocab.get(character));
    this.#base = 1 + [...vocab.values()].reduce((most, id) => Math.max(most, id), 0);
    this.#joined = new Int32Array(merges.length);
    for (const [rank, [left, right]] of merges.entries()) {
      const [leftId, rightId, joined] = [left, right, left + right].map(
        (token) =>
          vocab.get(token) ??
          fail(
            'tokenizer',
            `merge ${rank + 1}, "${left}" + "${right}", needs the token "${token}", which the vocabulary lacks. Vocabulary and merges must be of one tokenizer.`,
          ),
      ) as [number, number, number];
      this.#ranks.set(leftId * this.#base + rightId, rank);
      this.#joined[rank] = joined;
    }
  }

  /** Appends the ids of one word. */
  encode(word: string, out: number[]): void {
    const ids = this.#cache.get(word) ?? this.#encodeNew(word);
    for (let i = 0; i < ids.length; i++) out.push(ids[i]!);
  }

  #encodeNew(word: string): Int32Array {
    const bytes = encoder.encode(word);
    const ids = this.#merge(this.#symbols(word, bytes));
    if (word.length <= LONGEST_CACHED_WORD) {
      if (this.#cache.size >= CACHED_WORDS) this.#cache.clear();
      // Decoding gives a string of its own; the word itself may be a slice that keeps a long line alive.
      this.#cache.set(decoder.decode(bytes), ids);
    }
    return ids;
  }

  #symbols(word: string, bytes: Uint8Array): Int32Array {
    const { unkId, fuseUnk, ignoreMerges } = this.#options;
    if (ignoreMerges) {
      const whole = this.#vocab.get(toByteAlphabet(word));
      if (whole !== undefined) return Int32Array.of(whole);
    }
    const symbols = new Int32Array(bytes.length);
    let count = 0;
    let afterUnknown = false;
    for (const byte of bytes) {
      const id = this.#idOfByte[byte];
      if (id !== undefined) symbols[count++] = id;
      else if (unkId !== undefined && !(fuseUnk && afterUnknown)) symbols[count++] = unkId;
      afterUnknown = id === undefined;
    }
    return symbols.subarray(0, count);
  }

  /** Joins the leftmost pair of least rank again and again; n log n, so a word may be a megabyte long. */
  #merge(symbols: Int32Array): Int32Array {
    const count = symbols.length;
    const next = new Int32Array(count);
    const previous = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
    }
    /** Rank of the pair that begins at a position, NONE for no such merge; what the queue says otherwise is outdated. */
    const ranks = new Int32Array(count).fill(NONE);
    const queue = new MinHeap();
    const offer = (position: number): void => {
      if (position < 0) return;
      const right = next[position]!;
      const rank = right < count ? this.#ranks.get(symbols[position]! * this.#base + symbols[right]!) : undefined;
      ranks[position] = rank ?? NONE;
      if (rank !== undefined) queue.push(rank * POSITIONS + position);
    };
    for (let i = 0; i < count; i++) offer(i);

    for (let least = queue.pop(); least !== undefined; least = queue.pop()) {
      const rank = Math.floor(least / POSITIONS);
      const position = least - rank * POSITIONS;
      if (ranks[position] !== rank) continue;
      const right = next[position]!;
      symbols[position] = this.#joined[rank]!;
      symbols[right] = NONE;
      ranks[right] = NONE;
      next[position] = next[right]!;
      if (next[position]! < count) previous[next[position]!] = position;
      offer(previous[position]!);
      offer(position);
    }
    return symbols.filter((id) => id !== NONE);
  }
}
