import { expect, it } from 'vitest';
import { Hypotheses } from './hypotheses.js';

function filled(earlyStopping: boolean | 'never', lengthPenalty: number, sums: readonly number[], maxLength = 11) {
  const hypotheses = new Hypotheses({ numBeams: 2, earlyStopping, lengthPenalty, maxLength, prefixIds: [] });
  for (const [row, sum] of sums.entries()) hypotheses.add(sum, 2, { length: 2, row, endScore: 0 });
  return hypotheses;
}

it('is not done before as many hypotheses as beams are there', () => {
  for (const stopping of [true, false, 'never'] as const) expect(filled(stopping, 1, [-1]).isDone(-99, 2)).toBe(false);
});

it('judges open beams at the length where they may score best', () => {
  // The worst hypothesis scores -4 / 2 ** penalty.
  const isDone = (stopping: boolean | 'never', penalty: number, bestSum: number, generated: number) =>
    filled(stopping, penalty, [-2, -4]).isDone(bestSum, generated);
  expect(isDone(true, 1, 0, 3)).toBe(true);
  // Now: -6 / 3 = -2 is no better, -5.9 / 3 is.
  expect(isDone(false, 1, -6, 3)).toBe(true);
  expect(isDone(false, 1, -5.9, 3)).toBe(false);
  // At the end: 10 tokens after the start.
  expect(isDone('never', 1, -20, 3)).toBe(true);
  expect(isDone('never', 1, -19.9, 3)).toBe(false);
  // Under a negative penalty longer is worse: -4 · 2 = -8 against -2.7 · 3.
  expect(isDone('never', -1, -2.7, 3)).toBe(true);
  expect(isDone('never', -1, -2.6, 3)).toBe(false);
});

it('keeps the best, the later of equal ones first, and drops the earlier of equal ones', () => {
  const rows = (sums: readonly number[]) =>
    filled(true, 0, sums)
      .best()
      .map(({ row, score }) => [row, score]);
  expect(rows([-3, -1, -2])).toEqual([
    [1, -1],
    [2, -2],
  ]);
  expect(rows([-1, -1])).toEqual([
    [1, -1],
    [0, -1],
  ]);
  expect(rows([-3, -3, -1])).toEqual([
    [2, -1],
    [1, -3],
  ]);
  expect(rows([-2, -1, -2])).toEqual([
    [1, -1],
    [0, -2],
  ]);
});
