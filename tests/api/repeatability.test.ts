import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RowInput, Seq2SeqArgsInput, Seq2SeqModel } from '../../src/index.js';
import { allDropout, fixture, loadBart, readLog, rowsOf, temporaryFolder } from '../support.js';

const folder = temporaryFolder();
let runs = 0;

/** Trains the fixture with dropout at every place; what is left of it. */
async function trainOnce(args: Seq2SeqArgsInput, rows: string | RowInput[] = fixture('base', 'train.tsv')) {
  const outputDir = join(folder, String(runs++));
  const model = await loadBart(fixture('base'), {
    config: allDropout,
    args: { learningRate: 0.01, trainBatchSize: 3, loggingSteps: 1, saveModelEveryEpoch: false, ...args },
  });
  await model.trainModel(rows, { outputDir });
  model.dispose();
  const log = readLog(outputDir).map(({ tokens_per_second: _, ...entry }) => entry);
  return { weights: readFileSync(join(outputDir, 'model.safetensors')), log };
}

describe('training runs', () => {
  it('with one seed are equal to the bit, with another they are not', async () => {
    const first = await trainOnce({ numTrainEpochs: 3, manualSeed: 5 });
    const second = await trainOnce({ numTrainEpochs: 3, manualSeed: 5 });
    expect(second.log).toEqual(first.log);
    expect(second.weights.equals(first.weights)).toBe(true);
    const other = await trainOnce({ numTrainEpochs: 3, manualSeed: 6 });
    expect(other.log).not.toEqual(first.log);
    expect(other.weights.equals(first.weights)).toBe(false);
  });

  it('draw dropout from the seed, not only the order of rows', async () => {
    const rows = rowsOf('base', 'train').slice(0, 1);
    const losses = [];
    for (const manualSeed of [5, 6]) {
      const { log } = await trainOnce({ maxSteps: 3, manualSeed, learningRate: 0 }, rows);
      losses.push(...log.map(({ loss }) => loss));
    }
    // Weights stand still and the row is always the same: only the masks differ, from step to step and run to run.
    expect(new Set(losses).size).toBe(6);
  });

  it('without a seed differ', async () => {
    const [first, second] = [await trainOnce({ maxSteps: 1 }), await trainOnce({ maxSteps: 1 })];
    expect(second.log).not.toEqual(first.log);
  });
});

describe('gradient accumulation', () => {
  /** Eight rows whose targets have equally many tokens: then the mean of means is the mean. */
  function evenRows(model: Seq2SeqModel) {
    const words = ['rain', 'snow', 'a dog', 'the cat', 'home', 'sand', 'tea', 'it', 'cold', 'house', 'red', 'sun'];
    const targets = words.flatMap((word) => words.map((other) => `${word} and ${other}`));
    const lengthOf = (text: string) => model.encoderTokenizer.encode(text).length;
    const even = targets.filter((text) => lengthOf(text) === lengthOf(targets[1]!)).slice(0, 8);
    expect(even).toHaveLength(8);
    return rowsOf('base', 'train').map(({ input_text }, i) => ({ input_text, target_text: even[i]! }));
  }

  it('of 2 times 4 rows and of 4 times 2 is a batch of 8', async () => {
    const logs = [];
    for (const [trainBatchSize, gradientAccumulationSteps] of [
      [8, 1],
      [4, 2],
      [2, 4],
    ] as const) {
      const outputDir = join(folder, String(runs++));
      const model = await loadBart(fixture('base'), {
        args: { trainBatchSize, gradientAccumulationSteps, learningRate: 0.005, warmupSteps: 1, numTrainEpochs: 4 },
      });
      const args = { manualSeed: 2, loggingSteps: 1, saveModelEveryEpoch: false };
      const { globalStep } = await model.trainModel(evenRows(model), { outputDir, args });
      model.dispose();
      expect(globalStep).toBe(4);
      logs.push(readLog(outputDir));
    }
    const [whole, ...parts] = logs;
    for (const part of parts) {
      for (const [i, { loss, grad_norm, lr }] of part.entries()) {
        expect(lr).toBe(whole![i]!.lr);
        expect(Math.abs(loss / whole![i]!.loss - 1)).toBeLessThan(1e-5);
        expect(Math.abs(grad_norm / whole![i]!.grad_norm - 1)).toBeLessThan(1e-5);
      }
    }
    // The steps moved the weights, so that equal losses say that the updates were equal, too.
    expect(Math.abs(whole![3]!.loss - whole![0]!.loss)).toBeGreaterThan(0.05);
  });
});
