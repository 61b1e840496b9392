import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../data/index.js';
import { type BatchPlan, planBatches, type RowLengths } from './batches.js';

/** Rows of these source lengths, with targets half as long. */
const rowsOf = (lengths: readonly number[]): RowLengths => ({
  length: lengths.length,
  sourceLength: (row) => lengths[row]!,
  targetLength: (row) => Math.ceil(lengths[row]! / 2),
});
const batchesOf = (plan: BatchPlan) => Array.from({ length: plan.count }, (_, i) => [...plan.at(i)]);
const tokens = (lengths: readonly number[], row: number) => lengths[row]! + Math.ceil(lengths[row]! / 2);

/** Lengths as in real texts: many short ones, few long ones. */
function raggedLengths(count: number): number[] {
  const random = new Random(5);
  return Array.from({ length: count }, () => 1 + Math.floor(-40 * Math.log(1 - random.next())));
}

describe('batches of an epoch', () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 700 });

  it('hold every row once, in batches of the size', () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 40 }), fc.nat(), (rows, batchSize, seed) => {
        const batches = batchesOf(planBatches(rowsOf(rows), { batchSize }, { seed, epoch: 2 }));
        expect(batches.flat().sort((a, b) => a - b)).toEqual(rows.map((_, i) => i));
        const thin = batches.filter((batch) => batch.length !== batchSize);
        expect(thin.map((batch) => batch.length)).toEqual(rows.length % batchSize ? [rows.length % batchSize] : []);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it('hold every row once, within the budget of tokens', () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 2000 }), fc.nat(), (rows, batchTokens, seed) => {
        const batches = batchesOf(planBatches(rowsOf(rows), { batchTokens }, { seed, epoch: 0 }));
        expect(batches.flat().sort((a, b) => a - b)).toEqual(rows.map((_, i) => i));
        for (const batch of batches) {
          const filled = batch.reduce((sum, row) => sum + tokens(rows, row), 0);
          expect(batch.length === 1 || filled <= batchTokens).toBe(true);
          expect(batch.length).toBeGreaterThan(0);
        }
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it('fill the budget of tokens well', () => {
    const lengths = raggedLengths(5000);
    const plan = planBatches(rowsOf(lengths), { batchTokens: 2048 }, { seed: 1, epoch: 0 });
    const total = lengths.reduce((sum, _, row) => sum + tokens(lengths, row), 0);
    expect(plan.count).toBeLessThan(1.1 * Math.ceil(total / 2048));
  });

  it('are others in each epoch and with each seed, and the same again', () => {
    const lengths = raggedLengths(200);
    const plan = (seed: number, epoch: number) =>
      batchesOf(planBatches(rowsOf(lengths), { batchSize: 8 }, { seed, epoch }));
    const together = (batches: number[][]) => new Set(batches.map((batch) => [...batch].sort((a, b) => a - b).join()));
    expect(plan(1, 0)).toEqual(plan(1, 0));
    for (const other of [plan(1, 1), plan(2, 0)]) {
      expect([...together(other)].filter((batch) => together(plan(1, 0)).has(batch)).length).toBeLessThan(3);
    }
  });

  it('leave little of the rectangle unfilled, and say nothing about lengths by their place', () => {
    const lengths = raggedLengths(20_000);
    let [places, filled] = [0, 0];
    const rankSums: number[] = [];
    for (let epoch = 0; epoch < 4; epoch++) {
      const batches = batchesOf(planBatches(rowsOf(lengths), { batchSize: 8 }, { seed: 3, epoch }));
      for (const batch of batches) {
        places += batch.length * Math.max(...batch.map((row) => lengths[row]!));
        filled += batch.reduce((sum, row) => sum + lengths[row]!, 0);
      }
      // Mean tokens of each tenth of the epoch: with lengths independent of place they differ by chance alone.
      const tenth = batches.length / 10;
      for (let part = 0; part < 10; part++) {
        const rows = batches.slice(part * tenth, (part + 1) * tenth).flat();
        rankSums.push(rows.reduce((sum, row) => sum + lengths[row]!, 0) / rows.length);
      }
    }
    expect(1 - filled / places).toBeLessThan(0.07);
    const mean = lengths.reduce((a, b) => a + b, 0) / lengths.length;
    // A tenth has 250 batches whose means scatter as single rows do: a standard error of 40/√250 = 2.5.
    for (const part of rankSums) expect(Math.abs(part - mean)).toBeLessThan(10);
  });
});
