import { MinHeap } from '../min-heap.js';
import { byWord, isWordLocal } from './by-word.js';
import { type DoubleArray, NONE, ROOT } from './double-array.js';
import type { SentencePiece } from './file.js';
import { PieceIndex, walk } from './piece-index.js';
import type { Segmenter, SegmenterOf } from './segmenter.js';
import { Symbols } from './symbols.js';

/** A queued merge is one number, `rank · 2³¹ + symbol`, so the least is the one to do next. */
const SYMBOLS = 2 ** 31;

/** Where the two parts of a piece lie in the text: they begin at the first two, and the second ends at the third. */
type Parts = readonly [left: number, right: number, end: number];

/**
 * Byte pair encoding as SentencePiece does it: from characters and user-defined symbols (which nothing merges with), the
 * two neighbours that together are the piece of highest score are joined, the leftmost of equal ones, until no two are
 * a piece. Unused pieces take part and are afterwards taken apart again, into the two that they were last made of.
 */
export const bpeSegmenter: SegmenterOf = ({ pieces, unkId, userDefined }) => {
  const index = new PieceIndex(pieces, unkId);
  const symbols = new Symbols(userDefined);
  const merger = new Merger(index.trie, pieces);

  const segment: Segmenter = (bytes, length, out) => {
    symbols.read(bytes, length);
    merger.merge(bytes, symbols);
    const { ends, parts } = merger;
    let emitted = 0;
    // What an unused piece was made of may lie elsewhere in the text, so only its length says where it ends here.
    const emit = (start: number, end: number): void => {
      const made = parts.size === 0 ? undefined : parts.get(index.pieceAt(bytes, start, end));
      if (made === undefined) {
        emitted += end - start;
        out.ids.push(index.idOf(bytes, start, end));
        out.ends.push(emitted);
      } else {
        emit(made[0], made[1]);
        emit(made[1], made[2]);
      }
    };
    for (let i = 0; i < symbols.count; i++) if (ends[i]! > 0) emit(symbols.starts[i]!, ends[i]!);
  };
  return isWordLocal(pieces) ? byWord(segment) : segment;
};

/** The merges of one text, n log n in its length, so it may be one word of a megabyte. */
class Merger {
  /** Where the symbol that began with symbol `i` ends; 0 if its left neighbour has taken it in. */
  ends = new Int32Array(0);
  /** How each unused piece was last made, by its id. */
  readonly parts = new Map<number, Parts>();
  #next = new Int32Array(0);
  #previous = new Int32Array(0);
  /** Where each symbol is in the trie, and where it and its right neighbour together are: NONE if that is no piece. */
  #nodes = new Int32Array(0);
  #joined = new Int32Array(0);
  readonly #queue = new MinHeap();
  readonly #trie: DoubleArray;
  readonly #ranks: Int32Array;
  readonly #isUnused: Uint8Array;

  constructor(trie: DoubleArray, pieces: readonly SentencePiece[]) {
    this.#trie = trie;
    this.#ranks = ranksOf(pieces);
    this.#isUnused = Uint8Array.from(pieces, ({ type }) => Number(type === 'unused'));
  }

  merge(bytes: Uint8Array, symbols: Symbols): void {
    const { count, starts } = symbols;
    if (this.ends.length !== starts.length) this.#makeRoom(starts.length);
    this.parts.clear();
    const [ends, next, previous, nodes, joined] = [this.ends, this.#next, this.#previous, this.#nodes, this.#joined];
    for (let i = 0; i < count; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
      ends[i] = starts[i + 1]!;
      nodes[i] = walk(this.#trie, ROOT, bytes, starts[i]!, ends[i]!);
    }
    for (let i = 0; i < count; i++) this.#offer(i, bytes, symbols);
    for (let least = this.#queue.pop(); least !== undefined; least = this.#queue.pop()) {
      const rank = Math.floor(least / SYMBOLS);
      const left = least - rank * SYMBOLS;
      const node = joined[left]!;
      // Outdated: since it was queued, one of the two has been merged with another.
      if (node === NONE || this.#ranks[this.#trie.valueAt(node)] !== rank) continue;
      const right = next[left]!;
      nodes[left] = node;
      ends[left] = ends[right]!;
      ends[right] = 0;
      joined[right] = NONE;
      next[left] = next[right]!;
      if (next[left]! < count) previous[next[left]!] = left;
      this.#offer(previous[left]!, bytes, symbols);
      this.#offer(left, bytes, symbols);
    }
  }

  #offer(left: number, bytes: Uint8Array, { count, starts, isUserDefined }: Symbols): void {
    if (left < 0) return;
    this.#joined[left] = NONE;
    const right = this.#next[left]!;
    const from = this.#nodes[left]!;
    if (right >= count || from === NONE || isUserDefined[left] || isUserDefined[right]) return;
    const node = walk(this.#trie, from, bytes, starts[right]!, this.ends[right]!);
    const piece = node === NONE ? NONE : this.#trie.valueAt(node);
    if (piece === NONE) return;
    this.#joined[left] = node;
    this.#queue.push(this.#ranks[piece]! * SYMBOLS + left);
    if (this.#isUnused[piece]) this.parts.set(piece, [starts[left]!, starts[right]!, this.ends[right]!]);
  }

  #makeRoom(size: number): void {
    this.ends = new Int32Array(size);
    this.#next = new Int32Array(size);
    this.#previous = new Int32Array(size);
    this.#nodes = new Int32Array(size);
    this.#joined = new Int32Array(size);
  }
}

/** 0 for the highest score; equal scores have equal ranks. */
function ranksOf(pieces: readonly SentencePiece[]): Int32Array {
  const scores = [...new Set(pieces.map(({ score }) => score))].sort((a, b) => b - a);
  const rank = new Map(scores.map((score, i) => [score, i]));
  return Int32Array.from(pieces, ({ score }) => rank.get(score)!);
}
