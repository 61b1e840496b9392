import { expect, it } from 'vitest';
import { Random } from '../data/index.js';
import { draw, rank } from './selection.js';

function read({ size, tokens, rows, sums }: ReturnType<ReturnType<typeof rank>>) {
  return Array.from({ length: size }, (_, at) => [rows[at], tokens[at], sums[at]]);
}

const random = new Random(1);

it('ranks by sum, then row, then token', () => {
  const ids = Int32Array.of(9, 9, 4, 2, 7, 3, 6, 5);
  const scores = Float32Array.of(9, 9, -1, -2, -1, -3, -1, -2);
  const next = { count: 2, ids, scores, normalizers: undefined };
  expect(read(rank(4)(next, 1, Float32Array.of(0, 0, 0), random))).toEqual([
    [1, 4, -1],
    [2, 7, -1],
    [3, 6, -1],
    [1, 2, -2],
  ]);
  expect(read(rank(2)(next, 1, Float32Array.of(-1, -0.5, 0), random))).toEqual([
    [3, 6, -1],
    [2, 7, -1.5],
  ]);
});

it('puts tokens in order where adding the sum makes their scores equal', () => {
  const next = { count: 2, ids: Int32Array.of(8, 3), scores: Float32Array.of(-1, -2), normalizers: undefined };
  expect(read(rank(2)(next, 0, Float32Array.of(-1e9), random))).toEqual([
    [0, 3, -1e9],
    [0, 8, -1e9],
  ]);
});

/** Pearson's statistic; tokens of no probability must not come at all. */
function chiSquare(counts: readonly number[], probabilities: readonly number[]): number {
  const total = counts.reduce((a, b) => a + b);
  return probabilities.reduce((sum, p, i) => {
    if (p === 0) return counts[i] === 0 ? sum : Infinity;
    return sum + (counts[i]! - total * p) ** 2 / (total * p);
  }, 0);
}

it('draws without replacement from all rows, by their probabilities', () => {
  const scores = Float32Array.of(0, -1, -Infinity, -0.5, -2, 0.3);
  const sums = Float32Array.of(-1, -0.2);
  const weights = [...scores].map((score, place) => Math.exp(score + sums[Math.floor(place / 3)]!));
  const total = weights.reduce((a, b) => a + b);
  // P(first i, then j) = w_i / W · w_j / (W - w_i); picks come back by sum, so that pairs are unordered.
  const places = [...weights.keys()];
  const pairs = places.flatMap((i) => places.slice(i + 1).map((j) => [i, j] as const));
  const probabilities = pairs.map(([i, j]) => {
    const [a, b] = [weights[i]!, weights[j]!];
    return ((a / total) * b) / (total - a) + ((b / total) * a) / (total - b);
  });
  const select = draw(2, 2, 3);
  const generator = new Random(3);
  const counts = pairs.map(() => 0);
  for (let n = 0; n < 20_000; n++) {
    const picks = select({ count: 3, ids: undefined, scores, normalizers: undefined }, 0, sums, generator);
    expect(picks.sums[0]).toBeGreaterThanOrEqual(picks.sums[1]!);
    const drawn = [0, 1].map((at) => picks.rows[at]! * 3 + picks.tokens[at]!).sort((a, b) => a - b);
    counts[pairs.findIndex(([i, j]) => i === drawn[0] && j === drawn[1])]!++;
  }
  // 10 pairs stay possible; 9 degrees of freedom exceed 27.9 once in a thousand.
  expect(chiSquare(counts, probabilities)).toBeLessThan(27.9);
});

it('goes on to beams that hardly count when better tokens run out, and ends when all do', () => {
  const scores = Float32Array.of(0, -Infinity, -1, -Infinity, -2, -3);
  const next = { count: 3, ids: undefined, scores, normalizers: undefined };
  const picks = draw(3, 2, 3)(next, 0, Float32Array.of(0, -1e9), random);
  expect(read(picks).slice(0, 2)).toEqual([
    [0, 0, 0],
    [0, 2, -1],
  ]);
  expect(picks.rows[2]).toBe(1);
  expect(draw(6, 2, 3)(next, 0, Float32Array.of(0, -1e9), random).size).toBe(4);
});
