import { NONE, ROOT } from './double-array.js';
import { trieOf } from './piece-index.js';
import type { SegmenterOf } from './segmenter.js';
import { characterLength } from './utf8.js';

/** An unknown character scores this much below the least piece. */
const UNKNOWN_PENALTY = 10;
/** What a user-defined symbol scores: more the longer it is, so that no pieces of it are better than it. */
const userDefinedScore = (piece: string): number => 0.1 * Buffer.byteLength(piece) - 0.1;
const LARGEST_FLOAT = 3.4028234663852886e38;
/** Longer texts get arrays of their own, not kept. */
const KEPT = 1 << 16;

/**
 * The most probable segmentation (Viterbi): `best[end] = max over pieces of best[end - length] + score`, from left to
 * right, a character that is no piece counting as unknown. Of equal paths the one stays whose last piece begins first.
 * All in float32, as in SentencePiece, so that rounding makes the same paths equal.
 */
export const unigramSegmenter: SegmenterOf = ({ pieces, unkId }) => {
  const scores = Float32Array.from(pieces, ({ piece, score, type }) =>
    type === 'userDefined' ? userDefinedScore(piece) : score,
  );
  const least = pieces.reduce(
    (score, piece) => (piece.type === 'normal' ? Math.min(score, piece.score) : score),
    LARGEST_FLOAT,
  );
  const unknownScore = Math.fround(least - UNKNOWN_PENALTY);
  const trie = trieOf(pieces, ({ type }) => type === 'normal' || type === 'userDefined');
  let kept = new Paths(1 << 10);

  return (bytes, length, out) => {
    if (length > kept.size && length <= KEPT) kept = new Paths(Math.min(KEPT, 2 * length));
    const paths = length > KEPT ? new Paths(length) : kept;
    const { best, from, id } = paths;
    from.fill(NONE, 0, length + 1);
    best[0] = 0;
    for (let start = 0; start < length; ) {
      const here = best[start]!;
      const next = Math.min(start + characterLength(bytes[start]!), length);
      let isKnown = false;
      let node = ROOT;
      for (let end = start; end < length; ) {
        node = trie.step(node, bytes[end++]!);
        if (node === NONE) break;
        const piece = trie.valueAt(node);
        if (piece === NONE) continue;
        const score = Math.fround(scores[piece]! + here);
        if (from[end] === NONE || score > best[end]!) {
          best[end] = score;
          from[end] = start;
          id[end] = piece;
        }
        if (end === next) isKnown = true;
      }
      if (!isKnown) {
        const score = Math.fround(unknownScore + here);
        if (from[next] === NONE || score > best[next]!) {
          best[next] = score;
          from[next] = start;
          id[next] = unkId;
        }
      }
      start = next;
    }
    for (let end = length; end > 0; end = from[end]!) {
      out.ids.push(id[end]!);
      out.ends.push(end);
    }
    out.ids.reverse();
    out.ends.reverse();
  };
};

/** Of the best path to each place in the text: its score, where its last piece begins, and that piece. */
class Paths {
  readonly best: Float32Array;
  readonly from: Int32Array;
  readonly id: Int32Array;

  constructor(readonly size: number) {
    this.best = new Float32Array(size + 1);
    this.from = new Int32Array(size + 1);
    this.id = new Int32Array(size + 1);
  }
}
