import type { PieceTrie } from './piece-trie.js';

/** Pieces with their log-probabilities, as they are while training. */
export interface PieceModel {
  readonly trie: PieceTrie;
  /** By piece. */
  readonly scores: Float64Array;
  /** Of a character that is no piece. */
  readonly unknownScore: number;
}

export const UNKNOWN = -1;
/** Beyond this difference the smaller of two logarithms adds nothing. */
const NEGLIGIBLE = 50;

/**
 * All ways to cut one word into pieces. Places are 0 … length; an edge is a piece from one place to a later one. Made once
 * and read into again and again.
 */
export class Lattice {
  #length = 0;
  #first = new Int32Array(64);
  #forward = new Float64Array(64);
  #backward = new Float64Array(64);
  #bestEdge = new Int32Array(64);
  #edges = 0;
  #ends = new Int32Array(512);
  #ids = new Int32Array(512);
  #scores = new Float64Array(512);

  /** Reads `text[from, to)`. */
  read(model: PieceModel, text: Int32Array, from: number, to: number): void {
    const { trie, scores, unknownScore } = model;
    this.#length = to - from;
    this.#edges = 0;
    if (this.#length >= this.#first.length) this.#growPlaces(2 * this.#length);
    for (let start = from; start < to; start++) {
      this.#first[start - from] = this.#edges;
      let isKnown = false;
      let node = 0;
      for (let end = start; end < to; ) {
        node = trie.step(node, text[end++]!);
        if (node < 0) break;
        const id = trie.pieceAt(node);
        if (id < 0) continue;
        this.#add(end - from, id, scores[id]!);
        if (end === start + 1) isKnown = true;
      }
      if (!isKnown) this.#add(start + 1 - from, UNKNOWN, unknownScore);
    }
    this.#first[this.#length] = this.#edges;
  }

  /**
   * Forward-backward: adds to `expected` how often each piece is used over all ways to cut the word, by their probability,
   * `count` times, and returns the logarithm of the word's probability.
   */
  addExpected(expected: Float64Array, count: number): number {
    const [length, forward, backward, first] = [this.#length, this.#forward, this.#backward, this.#first];
    const [ends, ids, scores] = [this.#ends, this.#ids, this.#scores];
    forward.fill(Number.NEGATIVE_INFINITY, 0, length + 1);
    forward[0] = 0;
    for (let start = 0; start < length; start++) {
      for (let edge = first[start]!; edge < first[start + 1]!; edge++) {
        const end = ends[edge]!;
        forward[end] = logAddExp(forward[end]!, forward[start]! + scores[edge]!);
      }
    }
    const total = forward[length]!;
    backward[length] = 0;
    for (let start = length - 1; start >= 0; start--) {
      let sum = Number.NEGATIVE_INFINITY;
      for (let edge = first[start]!; edge < first[start + 1]!; edge++) {
        const onward = scores[edge]! + backward[ends[edge]!]!;
        sum = logAddExp(sum, onward);
        if (ids[edge]! >= 0) expected[ids[edge]!]! += count * Math.exp(forward[start]! + onward - total);
      }
      backward[start] = sum;
    }
    return total;
  }

  /** The pieces of the most probable way, last first, into `out`; without the word itself as a piece if `split`. */
  best(out: number[], split = false): number {
    const [length, score, first, ends] = [this.#length, this.#forward, this.#first, this.#ends];
    score.fill(Number.NEGATIVE_INFINITY, 0, length + 1);
    score[0] = 0;
    for (let start = 0; start < length; start++) {
      for (let edge = first[start]!; edge < first[start + 1]!; edge++) {
        const end = ends[edge]!;
        if (split && end - start === length) continue;
        const onward = score[start]! + this.#scores[edge]!;
        if (onward <= score[end]!) continue;
        score[end] = onward;
        this.#bestEdge[end] = edge;
        this.#backward[end] = start;
      }
    }
    out.length = 0;
    if (score[length] === Number.NEGATIVE_INFINITY) return score[length];
    for (let end = length; end > 0; end = this.#backward[end]!) out.push(this.#ids[this.#bestEdge[end]!]!);
    return score[length]!;
  }

  #add(end: number, id: number, score: number): void {
    if (this.#edges === this.#ends.length) this.#growEdges(2 * this.#edges);
    this.#ends[this.#edges] = end;
    this.#ids[this.#edges] = id;
    this.#scores[this.#edges++] = score;
  }

  #growPlaces(size: number): void {
    this.#first = new Int32Array(size);
    this.#forward = new Float64Array(size);
    this.#backward = new Float64Array(size);
    this.#bestEdge = new Int32Array(size);
  }

  #growEdges(size: number): void {
    const [ends, ids, scores] = [this.#ends, this.#ids, this.#scores];
    this.#ends = new Int32Array(size);
    this.#ids = new Int32Array(size);
    this.#scores = new Float64Array(size);
    this.#ends.set(ends);
    this.#ids.set(ids);
    this.#scores.set(scores);
  }
}

/** `log(eᵃ + eᵇ)` */
function logAddExp(a: number, b: number): number {
  const [low, high] = a < b ? [a, b] : [b, a];
  return high > low + NEGLIGIBLE ? high : high + Math.log1p(Math.exp(low - high));
}
