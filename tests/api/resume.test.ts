import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { Seq2SeqArgsInput, TrainOptions } from '../../src/index.js';
import { allDropout, changeJson, fixture, loadBart, readJson, rowsOf, temporaryFolder } from '../support.js';

const folder = temporaryFolder();
const rows = [...rowsOf('base', 'train'), ...rowsOf('base', 'eval')];
const evalData = rowsOf('base', 'eval');
const usual: Seq2SeqArgsInput = {
  numTrainEpochs: 8,
  trainBatchSize: 3,
  gradientAccumulationSteps: 2,
  learningRate: 0.003,
  weightDecay: 0.01,
  manualSeed: 11,
  loggingSteps: 3,
  saveSteps: 5,
  evaluateDuringTraining: true,
  evaluateDuringTrainingSteps: 4,
};

interface Run {
  readonly args?: Seq2SeqArgsInput;
  readonly options?: TrainOptions;
  /** Aborts once this many steps are done. */
  readonly until?: number;
}

/** Trains a fresh copy of the fixture; the result, or undefined when it was stopped. */
async function run(outputDir: string, { args, options, until }: Run = {}) {
  const model = await loadBart(fixture('base'), { config: allDropout, args: { ...usual, ...args } });
  const controller = new AbortController();
  const onStep = ({ step }: { step: number }) => {
    if (step === until) controller.abort(new Error('stopped'));
  };
  try {
    return await model.trainModel(rows, { outputDir, evalData, onStep, signal: controller.signal, ...options });
  } catch (error) {
    if (!(error instanceof Error) || error.message !== 'stopped') throw error;
    return undefined;
  } finally {
    model.dispose();
  }
}

const weightsOf = (directory: string) => readFileSync(join(directory, 'model.safetensors'));
const scoresOf = (directory: string) => readFileSync(join(directory, 'training_progress_scores.csv'), 'utf8');
const logOf = (directory: string) =>
  readFileSync(join(directory, 'training_log.jsonl'), 'utf8').replace(/"tokens_per_second":\d+/g, '');

describe('a run that is stopped and resumed', () => {
  const whole = join(folder, 'whole');

  it('ends as the one that was not, wherever and however often it was stopped', async () => {
    const expected = await run(whole);
    expect(expected!.globalStep).toBeGreaterThan(20);
    const stops = [1, 4, 5, 6, 7, 13, expected!.globalStep - 1];
    const outputDir = join(folder, 'stopped');
    for (const until of stops) {
      const options = { resumeFromCheckpoint: until !== 1 };
      expect(await run(outputDir, { until, options })).toBeUndefined();
      expect(readJson(join(outputDir, `checkpoint-${until}`, 'trainer_state.json')).global_step).toBe(until);
    }
    expect(await run(outputDir, { options: { resumeFromCheckpoint: true } })).toEqual(expected);
    expect(weightsOf(outputDir).equals(weightsOf(whole))).toBe(true);
    expect(weightsOf(join(outputDir, 'best_model')).equals(weightsOf(join(whole, 'best_model')))).toBe(true);
    expect(scoresOf(outputDir)).toBe(scoresOf(whole));
    expect(logOf(outputDir)).toBe(logOf(whole));
  });

  it.each(['checkpoint-5', 'checkpoint-8', 'checkpoint-10'])('goes on from %s named', async (name) => {
    const outputDir = join(folder, `from-${name}`);
    const from = join(whole, name);
    await run(outputDir, { options: { resumeFromCheckpoint: from } });
    expect(weightsOf(outputDir).equals(weightsOf(whole))).toBe(true);
  });

  it('starts at its beginning when it had no checkpoint yet, with the seed it had drawn', async () => {
    const outputDir = join(folder, 'no-checkpoint');
    const args = {
      manualSeed: null,
      numTrainEpochs: 1,
      saveSteps: 0,
      saveModelEveryEpoch: false,
      saveEvalCheckpoints: false,
    };
    await run(outputDir, { args });
    const first = weightsOf(outputDir);
    const state = join(outputDir, 'trainer_state.json');
    changeJson(state, {
      global_step: 0,
      epoch: 0,
      batch_in_epoch: 0,
      batch_number: 0,
      finished: null,
      optimizer_steps: 0,
    });
    const nothing = { steps: 0, loss: 0, tokens: 0, places: 0 };
    changeJson(state, { total: nothing, since_log: nothing, since_evaluation: nothing, progress_scores: [] });
    rmSync(join(outputDir, 'model.safetensors'));
    await run(outputDir, { args, options: { resumeFromCheckpoint: true } });
    expect(weightsOf(outputDir).equals(first)).toBe(true);
  });

  it('is left as it is when it has ended', async () => {
    const outputDir = join(folder, 'ended');
    cpSync(whole, outputDir, { recursive: true });
    const result = await run(outputDir, { options: { resumeFromCheckpoint: true } });
    expect(result!.globalStep).toBe(readJson(join(whole, 'trainer_state.json')).global_step);
    expect(weightsOf(outputDir).equals(weightsOf(whole))).toBe(true);
  });
});

describe('resuming is refused', () => {
  const outputDir = join(folder, 'refused');
  const resume = { resumeFromCheckpoint: true };

  it('with other options that matter, but not with others', async () => {
    await run(outputDir, { until: 6 });
    const changed = { learningRate: 0.004, trainBatchSize: 4 };
    await expect(run(outputDir, { args: changed, options: resume })).rejects.toThrow(
      /^resume: options differ .*trainBatchSize was 3 and is 4; .*learningRate was 0.003 and is 0.004/,
    );
    expect(
      await run(outputDir, { args: { saveSteps: 7, loggingSteps: 2 }, options: resume, until: 8 }),
    ).toBeUndefined();
  });

  it('with other rows, in training and in evaluation', async () => {
    const other = [{ input_text: 'snow', target_text: 'rain' }, ...rows.slice(1)];
    const model = await loadBart(fixture('base'), { config: allDropout, args: usual });
    await expect(model.trainModel(other, { outputDir, evalData, ...resume })).rejects.toThrow(
      'resume: the training rows are not those',
    );
    await expect(model.trainModel(rows, { outputDir, evalData: other, ...resume })).rejects.toThrow(
      'resume: the evaluation rows are not those',
    );
    model.dispose();
  });

  it('from what is no checkpoint', async () => {
    const from = (directory: string) => run(outputDir, { options: { resumeFromCheckpoint: directory } });
    await expect(from(join(folder, 'nowhere'))).rejects.toThrow('has no trainer_state.json');
    const cut = join(folder, 'cut');
    cpSync(join(outputDir, 'checkpoint-5'), cut, { recursive: true });
    const optimizer = join(cut, 'optimizer.safetensors');
    writeFileSync(optimizer, readFileSync(optimizer).subarray(0, 1000));
    await expect(from(cut)).rejects.toThrow(/optimizer.safetensors/);
    rmSync(optimizer);
    await expect(from(cut)).rejects.toThrow('has no optimizer.safetensors');
  });
});

it('saves no optimizer where it is told not to', async () => {
  const outputDir = join(folder, 'light');
  await run(outputDir, { args: { saveOptimizerAndScheduler: false, numTrainEpochs: 2 } });
  const checkpoints = readdirSync(outputDir).filter((name) => name.startsWith('checkpoint-'));
  expect(checkpoints.length).toBeGreaterThan(1);
  for (const name of checkpoints) {
    expect(existsSync(join(outputDir, name, 'model.safetensors'))).toBe(true);
    expect(existsSync(join(outputDir, name, 'optimizer.safetensors'))).toBe(false);
  }
});

it('goes on with the threads it had, unless told otherwise', async () => {
  const outputDir = join(folder, 'threads');
  await run(outputDir, { args: { threads: 1 }, until: 3 });
  const threads = (place: string) => readJson(join(outputDir, place, 'trainer_state.json')).threads;
  expect(threads('checkpoint-3')).toBe(1);
  const said = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  await run(outputDir, { args: { threads: null }, options: { resumeFromCheckpoint: true }, until: 4 });
  expect(said).not.toHaveBeenCalled();
  await run(outputDir, { args: { threads: 2 }, options: { resumeFromCheckpoint: true }, until: 5 });
  expect(said.mock.calls.join()).toContain('the run had 1 threads and goes on with 2');
  said.mockRestore();
});

describe('a run without checkpoints', () => {
  const args = { numTrainEpochs: 1, saveSteps: 0, saveModelEveryEpoch: false, saveEvalCheckpoints: false };

  it('that has ended keeps its model when it is resumed', async () => {
    const outputDir = join(folder, 'ended-without-checkpoints');
    const { globalStep } = (await run(outputDir, { args }))!;
    const trained = weightsOf(outputDir);
    expect(trained.equals(weightsOf(fixture('base')))).toBe(false);
    const again = await run(outputDir, { args, options: { resumeFromCheckpoint: true } });
    expect(again!.globalStep).toBe(globalStep);
    expect(weightsOf(outputDir).equals(trained)).toBe(true);
  });
});

it('goes on in a directory that it was resumed into from another one', async () => {
  const [from, outputDir, whole] = ['moved-from', 'moved-to', 'moved-whole'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await run(whole);
  await run(from, { until: 7 });
  await run(outputDir, { options: { resumeFromCheckpoint: join(from, 'checkpoint-7') }, until: 11 });
  const steps: number[] = [];
  const onStep = ({ step }: { step: number }) => void steps.push(step);
  await run(outputDir, { options: { resumeFromCheckpoint: true, onStep } });
  expect(steps[0]).toBe(12);
  expect(weightsOf(outputDir).equals(weightsOf(whole))).toBe(true);
});
