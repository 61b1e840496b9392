import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Seq2SeqArgsInput } from '../../src/index.js';
import { fixture, linesOf, loadBart, readJson, readLog, rowsOf, temporaryFolder } from '../support.js';

const folder = temporaryFolder();
const rows = rowsOf('uneven', 'train');

/** Trains on the eight rows in batches of three, so three steps an epoch. */
async function trainInto(outputDir: string, args: Seq2SeqArgsInput) {
  const model = await loadBart(fixture('uneven'), {
    args: { trainBatchSize: 3, manualSeed: 1, loggingSteps: 1, ...args },
  });
  const result = await model.trainModel(rows, { outputDir });
  model.dispose();
  return result;
}

const checkpointsIn = (outputDir: string) =>
  readdirSync(outputDir)
    .filter((name) => name.startsWith('checkpoint'))
    .sort();

describe('checkpoints', () => {
  it('are named after the step, and after the epoch that it ended', async () => {
    const outputDir = join(folder, 'names');
    await trainInto(outputDir, { numTrainEpochs: 2, saveSteps: 2, learningRate: 0.01 });
    const names = ['checkpoint-2', 'checkpoint-3-epoch-1', 'checkpoint-4', 'checkpoint-6', 'checkpoint-6-epoch-2'];
    expect(checkpointsIn(outputDir)).toEqual(names);
    const weights = (name: string) => readFileSync(join(outputDir, name, 'model.safetensors'));
    expect(weights('checkpoint-6').equals(weights('checkpoint-6-epoch-2'))).toBe(true);
    expect(weights('checkpoint-6').equals(weights('.'))).toBe(true);
    expect(weights('checkpoint-4').equals(weights('.'))).toBe(false);

    const whole = readdirSync(outputDir).filter(
      (name) => !name.startsWith('checkpoint') && name !== 'training_log.jsonl',
    );
    for (const name of names) {
      expect(readdirSync(join(outputDir, name)).sort()).toEqual(['optimizer.safetensors', ...whole].sort());
      const model = await loadBart(join(outputDir, name));
      expect(await model.predict(linesOf('uneven'))).toHaveLength(8);
      model.dispose();
    }
    expect(readJson(join(outputDir, 'model_args.json'))).toMatchObject({ model_class: 'Seq2SeqModel', save_steps: 2 });
  });

  it('are left out where they are not wanted', async () => {
    const some = join(folder, 'some');
    await trainInto(some, { saveSteps: -1, saveModelEveryEpoch: false });
    expect(checkpointsIn(some)).toEqual([]);
    expect(existsSync(join(some, 'model.safetensors'))).toBe(true);
    const none = join(folder, 'none');
    await trainInto(none, { saveSteps: 1, noSave: true });
    expect(readdirSync(none)).toEqual(['training_log.jsonl']);
  });
});

describe('training_log.jsonl', () => {
  it('has one object for every logged step', async () => {
    const outputDir = join(folder, 'log');
    const { globalStep, trainingLoss } = await trainInto(outputDir, {
      numTrainEpochs: 3,
      learningRate: 0.001,
      warmupSteps: 2,
      saveModelEveryEpoch: false,
    });
    const log = readLog(outputDir);
    expect(globalStep).toBe(9);
    expect(log.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const entry of log) {
      expect(Object.keys(entry)).toEqual(['step', 'epoch', 'loss', 'lr', 'grad_norm', 'tokens_per_second', 'padding']);
      expect(entry.epoch).toBeCloseTo(entry.step / 3, 12);
      expect(entry.grad_norm).toBeGreaterThan(0);
      expect(entry.tokens_per_second).toBeGreaterThan(0);
    }
    // Up over two steps, then down to 0 after the last: 2 + 7 steps.
    const shares = [0, 1 / 2, 1, 6 / 7, 5 / 7, 4 / 7, 3 / 7, 2 / 7, 1 / 7];
    for (const [i, share] of shares.entries()) expect(log[i]!.lr).toBeCloseTo(0.001 * share, 12);
    expect(trainingLoss).toBeCloseTo(log.reduce((sum, { loss }) => sum + loss, 0) / 9, 12);
  });

  it('gives the mean loss since the last logged step', async () => {
    const every = join(folder, 'every');
    const third = join(folder, 'third');
    const args = { numTrainEpochs: 2, learningRate: 0.01, saveModelEveryEpoch: false };
    await trainInto(every, args);
    await trainInto(third, { ...args, loggingSteps: 3 });
    const [all, thinned] = [readLog(every), readLog(third)];
    expect(thinned.map(({ step }) => step)).toEqual([3, 6]);
    const mean = (from: number) => (all[from]!.loss + all[from + 1]!.loss + all[from + 2]!.loss) / 3;
    expect(thinned.map(({ loss }) => loss)).toEqual([expect.closeTo(mean(0), 12), expect.closeTo(mean(3), 12)]);
    expect(thinned.map(({ grad_norm }) => grad_norm)).toEqual([all[2]!.grad_norm, all[5]!.grad_norm]);
  });

  it('ends where maxSteps ends training, in the middle of an epoch or behind many', async () => {
    const ends = [];
    for (const maxSteps of [2, 7]) {
      const outputDir = join(folder, `max-${maxSteps}`);
      const { globalStep } = await trainInto(outputDir, { maxSteps, saveModelEveryEpoch: false });
      ends.push([globalStep, readLog(outputDir).at(-1)!.epoch]);
    }
    expect(ends).toEqual([
      [2, expect.closeTo(2 / 3, 12)],
      [7, expect.closeTo(7 / 3, 12)],
    ]);
  });
});

describe('an output directory', () => {
  it('that has something in it is refused before any work, unless it may be overwritten', async () => {
    const outputDir = join(folder, 'used');
    mkdirSync(outputDir);
    writeFileSync(join(outputDir, 'notes.txt'), 'mine');
    const refusal = `outputDir: ${outputDir} exists and is not empty. Name another directory, or set overwriteOutputDir.`;
    await expect(trainInto(outputDir, {})).rejects.toThrow(refusal);
    expect(readdirSync(outputDir)).toEqual(['notes.txt']);
    await trainInto(outputDir, { overwriteOutputDir: true });
    expect(readdirSync(outputDir)).toContain('model.safetensors');
    expect(readFileSync(join(outputDir, 'notes.txt'), 'utf8')).toBe('mine');
  });

  it('may exist while it is empty', async () => {
    const outputDir = join(folder, 'empty');
    mkdirSync(outputDir);
    await trainInto(outputDir, { saveModelEveryEpoch: false });
    expect(readdirSync(outputDir)).toContain('model.safetensors');
  });

  it('that cannot be one is refused by name', async () => {
    const file = join(folder, 'a-file');
    writeFileSync(file, '');
    await expect(trainInto(join(file, 'out'), {})).rejects.toThrow(
      `outputDir: ${join(file, 'out')} cannot be written to: a part of the path is not a directory.`,
    );
    await expect(trainInto(file, {})).rejects.toThrow(`outputDir: ${file} is a file. Name a directory.`);
    await expect(trainInto(file, { overwriteOutputDir: true })).rejects.toThrow(
      `outputDir: ${file} cannot be written to: something else is there.`,
    );
  });
});
