import { type DoubleArray, NONE, ROOT } from './double-array.js';
import type { SentencePiece } from './file.js';
import { MinHeap } from './min-heap.js';
import { PieceIndex, walk } from './piece-index.js';
import type { SegmenterOf, Segments } from './segmenter.js';
import { type Symbols, symbolsOf } from './symbols.js';

/** A queued merge is one number, `rank · 2³¹ + symbol`, so the least is the one to do next. */
const SYMBOLS = 2 ** 31;

/** Where the two parts of a piece lie in the text: they begin at the first two, and the second ends at the third. */
type Parts = readonly [left: number, right: number, end: number];

interface Merged {
  /** Where the symbol that began with symbol `i` ends; 0 if its left neighbour has taken it in. */
  readonly ends: Int32Array;
  /** How each unused piece was last made, by its id. */
  readonly parts: ReadonlyMap<number, Parts>;
}

/**
 * Byte pair encoding as SentencePiece does it: from characters and user-defined symbols (which nothing merges with), the
 * two neighbours that together are the piece of highest score are joined, the leftmost of equal ones, until no two are
 * a piece. Unused pieces take part and are afterwards taken apart again, into the two that they were last made of.
 */
export const bpeSegmenter: SegmenterOf = ({ pieces, unkId, userDefined }) => {
  const index = new PieceIndex(pieces, unkId);
  const isUnused = Uint8Array.from(pieces, ({ type }) => Number(type === 'unused'));
  const ranks = ranksOf(pieces);

  return (bytes, length, out) => {
    const symbols = symbolsOf(bytes, length, userDefined);
    const { ends, parts } = merge(bytes, symbols, { trie: index.trie, ranks, isUnused });
    const emit = (start: number, end: number): void => {
      const made = parts.size === 0 ? undefined : parts.get(index.pieceAt(bytes, start, end));
      if (made === undefined) append(out, index.idOf(bytes, start, end), end - start);
      else {
        emit(made[0], made[1]);
        emit(made[1], made[2]);
      }
    };
    for (let i = 0; i < symbols.count; i++) if (ends[i]! > 0) emit(symbols.starts[i]!, ends[i]!);
  };
};

function append({ ids, ends }: Segments, id: number, length: number): void {
  const start = ends.length === 0 ? 0 : ends[ends.length - 1]!;
  ids.push(id);
  ends.push(start + length);
}

interface Merges {
  readonly trie: DoubleArray;
  readonly ranks: Int32Array;
  readonly isUnused: Uint8Array;
}

/** n log n in the length of the text, so it may be one word of a megabyte. */
function merge(bytes: Uint8Array, { count, starts, isUserDefined }: Symbols, merges: Merges): Merged {
  const { trie, ranks, isUnused } = merges;
  const next = new Int32Array(count);
  const previous = new Int32Array(count);
  const ends = new Int32Array(count);
  /** Where each symbol is in the trie, and where it and its right neighbour together are: NONE if that is no piece. */
  const nodes = new Int32Array(count);
  const joined = new Int32Array(count).fill(NONE);
  const parts = new Map<number, Parts>();
  const queue = new MinHeap();

  const offer = (left: number): void => {
    if (left < 0) return;
    joined[left] = NONE;
    const right = next[left]!;
    if (right >= count || isUserDefined[left] || isUserDefined[right] || nodes[left] === NONE) return;
    const node = walk(trie, nodes[left]!, bytes, starts[right]!, ends[right]!);
    const piece = node === NONE ? NONE : trie.valueAt(node);
    if (piece === NONE) return;
    joined[left] = node;
    queue.push(ranks[piece]! * SYMBOLS + left);
    if (isUnused[piece]) parts.set(piece, [starts[left]!, starts[right]!, ends[right]!]);
  };

  for (let i = 0; i < count; i++) {
    next[i] = i + 1;
    previous[i] = i - 1;
    ends[i] = starts[i + 1]!;
    nodes[i] = walk(trie, ROOT, bytes, starts[i]!, ends[i]!);
  }
  for (let i = 0; i < count; i++) offer(i);
  for (let least = queue.pop(); least !== undefined; least = queue.pop()) {
    const left = least % SYMBOLS;
    const node = joined[left]!;
    // Outdated: since it was queued, one of the two has been merged with another.
    if (node === NONE || ranks[trie.valueAt(node)] !== Math.floor(least / SYMBOLS)) continue;
    const right = next[left]!;
    nodes[left] = node;
    ends[left] = ends[right]!;
    ends[right] = 0;
    joined[right] = NONE;
    next[left] = next[right]!;
    if (next[left]! < count) previous[next[left]!] = left;
    offer(previous[left]!);
    offer(left);
  }
  return { ends, parts };
}

/** 0 for the highest score; equal scores have equal ranks. */
function ranksOf(pieces: readonly SentencePiece[]): Int32Array {
  const scores = [...new Set(pieces.map(({ score }) => score))].sort((a, b) => b - a);
  const rank = new Map(scores.map((score, i) => [score, i]));
  return Int32Array.from(pieces, ({ score }) => rank.get(score)!);
}
