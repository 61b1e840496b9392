import { buildDoubleArray, type DoubleArray, NONE, ROOT } from './sentencepiece/index.js';

export type ScoredToken = readonly [token: string, score: number];

/** Words seen are remembered: text repeats itself. */
const CACHED_WORDS = 1 << 16;
const LONGEST_CACHED_WORD = 64;
/** An unknown character scores this much below the least token. */
const UNKNOWN_PENALTY = 10;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The most probable segmentation of words, as tokenizer.json's `Unigram` finds it: `best[end] = max over tokens of
 * best[end - length] + score`. It differs from SentencePiece's own (`sentencepiece/unigram.ts`) in that scores are added up in
 * float64, and special tokens take part as any other.
 */
export class UnigramEncoder {
  readonly vocab: ReadonlyMap<string, number>;
  readonly #unkId: number;
  readonly #scores: Float64Array;
  readonly #unknownScore: number;
  readonly #trie: DoubleArray;
  readonly #cache = new Map<string, readonly number[]>();

  constructor(tokens: readonly ScoredToken[], unkId: number) {
    // Of a token given twice the last counts.
    this.vocab = new Map(tokens.map(([token], id) => [token, id]));
    this.#unkId = unkId;
    this.#scores = Float64Array.from(tokens, ([, score]) => score);
    this.#unknownScore = this.#scores.reduce((least, score) => Math.min(least, score)) - UNKNOWN_PENALTY;
    this.#trie = buildDoubleArray(new Map([...this.vocab].filter(([token]) => token !== '' && !token.includes('\0'))));
  }

  /** Appends the ids of one word. */
  encode(word: string, out: number[]): void {
    const ids = this.#cache.get(word) ?? this.#encodeNew(word);
    for (const id of ids) out.push(id);
  }

  #encodeNew(word: string): readonly number[] {
    const bytes = encoder.encode(word);
    const ids = this.#segment(bytes);
    if (word.length <= LONGEST_CACHED_WORD) {
      if (this.#cache.size >= CACHED_WORDS) this.#cache.clear();
      // Decoding gives a string of its own; the word itself may be a slice that keeps a long line alive.
      this.#cache.set(decoder.decode(bytes), ids);
    }
    return ids;
  }

  #segment(bytes: Uint8Array): readonly number[] {
    const trie = this.#trie;
    const { length } = bytes;
    const best = new Float64Array(length + 1);
    const from = new Int32Array(length + 1).fill(NONE);
    const id = new Int32Array(length + 1);
    const offer = (start: number, end: number, token: number, score: number): void => {
      const total = best[start]! + score;
      if (from[end] !== NONE && total <= best[end]!) return;
      best[end] = total;
      from[end] = start;
      id[end] = token;
    };
    for (let start = 0; start < length; ) {
      let next = start + 1;
      while (next < length && (bytes[next]! & 0xc0) === 0x80) next++;
      let isKnown = false;
      let node = ROOT;
      for (let end = start; end < length; ) {
        node = trie.step(node, bytes[end++]!);
        if (node === NONE) break;
        const token = trie.valueAt(node);
        if (token === NONE) continue;
        offer(start, end, token, this.#scores[token]!);
        isKnown ||= end === next;
      }
      if (!isKnown) offer(start, next, this.#unkId, this.#unknownScore);
      start = next;
    }
    return this.#path(bytes, from, id);
  }

  /** Back from the end; a run of unknown characters is one token, whichever the vocabulary has for it. */
  #path(bytes: Uint8Array, from: Int32Array, id: Int32Array): readonly number[] {
    const ids: number[] = [];
    for (let end = bytes.length; end > 0; ) {
      let start = from[end]!;
      if (id[end] !== this.#unkId) ids.push(id[end]!);
      else {
        while (start > 0 && id[start] === this.#unkId) start = from[start]!;
        ids.push(this.vocab.get(decoder.decode(bytes.subarray(start, end))) ?? this.#unkId);
      }
      end = start;
    }
    return ids.reverse();
  }
}
