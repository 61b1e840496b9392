import type { Random } from '../data/index.js';
import { type NextTokens, NO_TOKEN } from './next-tokens.js';
import { largestOf } from './reductions.js';

/** Continuations that were chosen for one batch item: token, row it continues, its score and new sum, best sum first. */
export interface Picks {
  size: number;
  readonly tokens: Int32Array;
  readonly rows: Int32Array;
  readonly scores: Float32Array;
  readonly sums: Float32Array;
}

/**
 * Chooses continuations of the rows `firstRow … firstRow + sums.length`, whose scores so far are `sums`. Answers the
 * same object every time. Fewer than asked for come back only where no more tokens have a score at all.
 */
export type Select = (next: NextTokens, firstRow: number, sums: Float32Array, random: Random) => Picks;

function picksOf(count: number): Picks {
  return {
    size: 0,
    tokens: new Int32Array(count),
    rows: new Int32Array(count),
    scores: new Float32Array(count),
    sums: new Float32Array(count),
  };
}

/** Puts a pick in its place, if it has one; of equal sums the lower row, then the lower token comes first. */
function insert(picks: Picks, token: number, row: number, score: number, sum: number): void {
  const { tokens, rows, scores, sums } = picks;
  let at = picks.size;
  while (at > 0) {
    const before = at - 1;
    if (sums[before]! > sum) break;
    if (sums[before] === sum && (rows[before]! < row || (rows[before] === row && tokens[before]! < token))) break;
    at = before;
  }
  if (at === tokens.length) return;
  const last = Math.min(picks.size, tokens.length - 1);
  for (let to = last; to > at; to--) {
    tokens[to] = tokens[to - 1]!;
    rows[to] = rows[to - 1]!;
    scores[to] = scores[to - 1]!;
    sums[to] = sums[to - 1]!;
  }
  tokens[at] = token;
  rows[at] = row;
  scores[at] = score;
  sums[at] = sum;
  picks.size = last + 1;
}

/** The `count` continuations of the highest sums, from the best tokens of each row. */
export function rank(count: number): Select {
  const picks = picksOf(count);
  return (next, firstRow, sums) => {
    const ids = next.ids!;
    picks.size = 0;
    for (let beam = 0; beam < sums.length; beam++) {
      const row = firstRow + beam;
      for (let at = row * next.count; at < (row + 1) * next.count; at++) {
        const token = ids[at]!;
        if (token === NO_TOKEN) break;
        const score = next.scores[at]!;
        const sum = Math.fround(score + sums[beam]!);
        if (picks.size === count && sum < picks.sums[count - 1]!) break;
        insert(picks, token, row, score, sum);
      }
    }
    return picks;
  };
}

/**
 * Draws `count` continuations without replacement, each with the probability exp(sum) among those left, from the whole
 * vocabulary of each row.
 */
export function draw(count: number, width: number, vocabSize: number): Select {
  const picks = picksOf(count);
  const sumsLeft = new Float32Array(width * vocabSize);
  const places = new Int32Array(width * vocabSize);
  const weights = new Float64Array(width * vocabSize);
  return (next, firstRow, sums, random) => {
    let size = 0;
    for (let beam = 0; beam < width; beam++) {
      for (let token = 0; token < vocabSize; token++) {
        const sum = Math.fround(next.scores[(firstRow + beam) * vocabSize + token]! + sums[beam]!);
        if (sum === -Infinity) continue;
        sumsLeft[size] = sum;
        places[size++] = beam * vocabSize + token;
      }
    }
    picks.size = 0;
    while (picks.size < Math.min(count, size)) {
      // Weights are taken again from what is left when they run out: those of beams that hardly count underflow.
      let total = weigh(sumsLeft, weights, size);
      for (; picks.size < count && total > 0; total = sumOf(weights, size)) {
        const at = pickBy(weights, size, random.next() * total);
        const place = places[at]!;
        const score = next.scores[firstRow * vocabSize + place]!;
        insert(picks, place % vocabSize, firstRow + Math.floor(place / vocabSize), score, sumsLeft[at]!);
        sumsLeft[at] = -Infinity;
        weights[at] = 0;
      }
    }
    return picks;
  };
}

/** Sets weights[i] = exp(sums[i] - largest) and adds them up. */
function weigh(sums: Float32Array, weights: Float64Array, size: number): number {
  const largest = largestOf(sums.subarray(0, size));
  for (let at = 0; at < size; at++) weights[at] = Math.exp(sums[at]! - largest);
  return sumOf(weights, size);
}

function sumOf(weights: Float64Array, size: number): number {
  let total = 0;
  for (let at = 0; at < size; at++) total += weights[at]!;
  return total;
}

/** Where the running sum of the weights passes `target`. */
function pickBy(weights: Float64Array, size: number, target: number): number {
  let last = -1;
  for (let at = 0; at < size; at++) {
    if (weights[at] === 0) continue;
    last = at;
    target -= weights[at]!;
    if (target < 0) break;
  }
  return last;
}
