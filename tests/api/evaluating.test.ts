import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Seq2SeqArgsInput, TrainOptions } from '../../src/index.js';
import { fixture, loadBart, rowsOf, temporaryFolder } from '../support.js';

const folder = temporaryFolder();
const rows = rowsOf('base', 'train');
const evalData = rowsOf('base', 'eval');

async function run(name: string, args: Seq2SeqArgsInput, options: TrainOptions = {}) {
  const outputDir = join(folder, name);
  const model = await loadBart(fixture('base'), {
    args: { trainBatchSize: 4, learningRate: 0.003, manualSeed: 3, saveModelEveryEpoch: false, ...args },
  });
  try {
    return { outputDir, model, ...(await model.trainModel(rows, { outputDir, evalData, ...options })) };
  } finally {
    model.dispose();
  }
}

const namesIn = (directory: string) => readdirSync(directory).sort();
const scoresIn = (directory: string) =>
  readFileSync(join(directory, 'training_progress_scores.csv'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','));
const stepsPerEpoch = Math.ceil(rows.length / 4);

/** A metric that gives these values, one an evaluation. */
const given = (...values: number[]) => {
  let call = 0;
  return () => values[Math.min(call++, values.length - 1)]!;
};

describe('evaluating while training', () => {
  it('comes after every so many steps, and after each epoch', async () => {
    const seen: [number, string[]][] = [];
    const { outputDir, progressScores } = await run(
      'steps',
      { numTrainEpochs: 2, evaluateDuringTraining: true, evaluateDuringTrainingSteps: 2 },
      { onEvaluate: (results, step) => void seen.push([step, Object.keys(results)]) },
    );
    const due = Array.from({ length: 2 * stepsPerEpoch }, (_, i) => i + 1).filter(
      (step) => step % 2 === 0 || step % stepsPerEpoch === 0,
    );
    expect(progressScores.map(({ global_step }) => global_step)).toEqual(due);
    expect(seen).toEqual(due.map((step) => [step, ['eval_loss']]));
    const [head, ...lines] = scoresIn(outputDir);
    expect(head).toEqual(['global_step', 'train_loss', 'eval_loss']);
    expect(lines.map(([step]) => Number(step))).toEqual(due);
    for (const line of lines) for (const cell of line) expect(Number(cell)).toBeGreaterThan(0);
  });

  it('comes after epochs alone where steps are off, and not there where epochs are off', async () => {
    const evaluating = { numTrainEpochs: 2, evaluateDuringTraining: true };
    const epochs = await run('epochs', { ...evaluating, evaluateDuringTrainingSteps: 0 });
    expect(epochs.progressScores.map(({ global_step }) => global_step)).toEqual([stepsPerEpoch, 2 * stepsPerEpoch]);
    const steps = await run('no-epochs', { ...evaluating, evaluateDuringTrainingSteps: 2, evaluateEachEpoch: false });
    expect(steps.progressScores.every(({ global_step }) => global_step! % 2 === 0)).toBe(true);
    const never = await run('never', { numTrainEpochs: 2, evaluateDuringTrainingSteps: 2 });
    expect(never.progressScores).toEqual([]);
    expect(existsSync(join(never.outputDir, 'training_progress_scores.csv'))).toBe(false);
  });

  it('finds what evalModel finds', async () => {
    const { outputDir, progressScores } = await run('equal', {
      evaluateDuringTraining: true,
      evaluateDuringTrainingSteps: 0,
    });
    const model = await loadBart(outputDir);
    const { eval_loss } = await model.evalModel(evalData, { outputDir: join(folder, 'equal-eval') });
    expect(progressScores.at(-1)!.eval_loss).toBe(eval_loss);
    model.dispose();
  });

  it('generates texts with the weights of that step, for metrics of any kind', async () => {
    const predictions: (readonly string[])[] = [];
    const { outputDir, progressScores } = await run(
      'metrics',
      { numTrainEpochs: 2, learningRate: 0.05, evaluateDuringTraining: true, evaluateDuringTrainingSteps: 0 },
      {
        metrics: {
          length: async (truths, found) => {
            expect(truths).toEqual(evalData.map((row) => row.target_text));
            predictions.push(found);
            return found.length;
          },
        },
      },
    );
    expect(progressScores.map(({ length }) => length)).toEqual([evalData.length, evalData.length]);
    expect(predictions[0]).not.toEqual(predictions[1]);
    const model = await loadBart(outputDir);
    expect(await model.predict(evalData.map((row) => row.input_text))).toEqual(predictions[1]);
    model.dispose();
  });

  it('goes on when a metric throws, without its result', async () => {
    const failing = (truths: readonly string[]) => {
      if (truths.includes(evalData[1]!.target_text)) throw new Error('no such word');
      return 1;
    };
    const { globalStep, progressScores } = await run(
      'failing',
      { evaluateDuringTraining: true, evaluateDuringTrainingSteps: 0 },
      { metrics: { failing, fine: () => 2 } },
    );
    expect(globalStep).toBe(stepsPerEpoch);
    expect(progressScores).toEqual([
      { global_step: stepsPerEpoch, train_loss: expect.any(Number), eval_loss: expect.any(Number), fine: 2 },
    ]);
  });

  it('needs rows, and a metric that it produces', async () => {
    const evaluating = { evaluateDuringTraining: true };
    await expect(run('no-rows', evaluating, { evalData: undefined })).rejects.toThrow(
      'trainModel: evaluateDuringTraining is set, but there are no rows to evaluate on. Give evalData.',
    );
    await expect(run('no-evaluations', { useEarlyStopping: true })).rejects.toThrow(
      'args: useEarlyStopping needs evaluations while training.',
    );
    const metric = { ...evaluating, earlyStoppingMetric: 'accuracy' };
    await expect(run('no-metric', metric)).rejects.toThrow(
      'earlyStoppingMetric is "accuracy", which no evaluation produces: there will be eval_loss.',
    );
    expect(existsSync(join(folder, 'no-metric'))).toBe(false);
  });
});

describe('what evaluations decide', () => {
  const evaluating = {
    numTrainEpochs: 6,
    evaluateDuringTraining: true,
    evaluateDuringTrainingSteps: 1,
    evaluateEachEpoch: false,
    earlyStoppingMetric: 'score',
    saveEvalCheckpoints: false,
    saveSteps: 1,
  };

  it('keeps the best model, the lowest or the highest', async () => {
    for (const [minimize, best] of [
      [true, 2],
      [false, 3],
    ] as const) {
      const { outputDir } = await run(
        `best-${best}`,
        { ...evaluating, earlyStoppingMetricMinimize: minimize, maxSteps: 4 },
        { metrics: { score: given(5, 1, 9, 3) } },
      );
      const weights = (directory: string) => readFileSync(join(directory, 'model.safetensors'));
      const kept = weights(join(outputDir, 'best_model'));
      expect(kept.equals(weights(join(outputDir, `checkpoint-${best}`)))).toBe(true);
      expect(readFileSync(join(outputDir, 'best_model', 'eval_results.txt'), 'utf8')).toContain(
        `score = ${[5, 1, 9, 3][best - 1]}\n`,
      );
    }
  });

  it('keeps it where bestModelDir says, or not at all', async () => {
    const bestModelDir = join(folder, 'the-best');
    const metrics = () => ({ score: given(5, 1) });
    const first = await run('elsewhere', { ...evaluating, bestModelDir, maxSteps: 2 }, { metrics: metrics() });
    expect(existsSync(join(bestModelDir, 'model.safetensors'))).toBe(true);
    expect(namesIn(first.outputDir)).not.toContain('best_model');
    const second = await run('no-best', { ...evaluating, saveBestModel: false, maxSteps: 2 }, { metrics: metrics() });
    expect(namesIn(second.outputDir)).not.toContain('best_model');
  });

  it('stops early, after one evaluation more than the patience', async () => {
    const stopping = { ...evaluating, useEarlyStopping: true, earlyStoppingPatience: 2 };
    const { globalStep, endedBy } = await run('early', stopping, { metrics: { score: given(3, 2, 2, 2, 2, 2, 2) } });
    expect([globalStep, endedBy]).toEqual([5, 'early stopping']);
    const delta = { ...stopping, earlyStoppingDelta: 0.5 };
    const gained = await run('delta', delta, { metrics: { score: given(3, 2.7, 2.6, 2.55, 0) } });
    expect(gained.globalStep).toBe(4);
    const maximised = { ...stopping, earlyStoppingMetricMinimize: false };
    const rising = await run('maximised', maximised, { metrics: { score: given(1, 2, 3, 1, 1, 1) } });
    expect(rising.globalStep).toBe(6);
  });

  it('counts epochs only when asked to', async () => {
    const epochs = { ...evaluating, evaluateDuringTrainingSteps: 0, evaluateEachEpoch: true, useEarlyStopping: true };
    const stopping = { ...epochs, earlyStoppingPatience: 1 };
    const all = await run('epochs-not-counted', stopping, { metrics: { score: () => 1 } });
    expect(all.endedBy).toBe('steps');
    const counted = { ...stopping, earlyStoppingConsiderEpochs: true };
    const stopped = await run('epochs-counted', counted, { metrics: { score: () => 1 } });
    expect([stopped.globalStep, stopped.endedBy]).toEqual([3 * stepsPerEpoch, 'early stopping']);
  });

  it('saves a checkpoint with the results at each evaluation', async () => {
    const saving = { ...evaluating, saveEvalCheckpoints: true, saveSteps: 0, maxSteps: 2 };
    const { outputDir } = await run('eval-checkpoints', saving, { metrics: { score: given(4, 5) } });
    const results = [1, 2].map((step) =>
      readFileSync(join(outputDir, `checkpoint-${step}`, 'eval_results.txt'), 'utf8'),
    );
    expect(results.map((text) => /score = (\d)/.exec(text)![1])).toEqual(['4', '5']);
  });
});

describe('what is saved', () => {
  it('is at most as many checkpoints as asked, the last ones', async () => {
    const { outputDir } = await run('limited', { saveSteps: 1, maxSteps: 6, numTrainEpochs: 9, saveTotalLimit: 2 });
    expect(namesIn(outputDir).filter((name) => name.startsWith('checkpoint'))).toEqual([
      'checkpoint-5',
      'checkpoint-6',
    ]);
  });

  it('is nothing of the model with noSave', async () => {
    const evaluating = { evaluateDuringTraining: true, evaluateDuringTrainingSteps: 1, saveSteps: 1 };
    const { outputDir } = await run('no-save', { ...evaluating, noSave: true, maxSteps: 2 });
    expect(namesIn(outputDir)).toEqual(['training_log.jsonl', 'training_progress_scores.csv']);
  });

  it('is told to onSave, and each step to onStep', async () => {
    const saved: string[] = [];
    const steps: number[] = [];
    const { outputDir } = await run(
      'told',
      { saveSteps: 2, maxSteps: 3, saveModelEveryEpoch: true },
      {
        onSave: (directory) => void saved.push(directory),
        onStep: ({ step, totalSteps, loss, learningRate, gradientNorm, epoch }) => {
          steps.push(step);
          expect(totalSteps).toBe(3);
          for (const value of [loss, gradientNorm]) expect(value).toBeGreaterThan(0);
          expect(learningRate).toBeGreaterThanOrEqual(0);
          expect(epoch).toBeCloseTo(step / stepsPerEpoch, 10);
        },
      },
    );
    expect(steps).toEqual([1, 2, 3]);
    expect(saved.map((directory) => directory.slice(outputDir.length))).toEqual([
      '/checkpoint-2',
      '/checkpoint-2-epoch-1',
      '/checkpoint-3-epoch-2',
      '',
    ]);
  });
});

describe('steps that are no numbers', () => {
  it('are skipped, and end the run when there are more than allowed', async () => {
    const broken = run('broken', {
      learningRate: 1e30,
      maxGradNorm: 1e30,
      warmupRatio: 0,
      numTrainEpochs: 9,
      maxBadSteps: 3,
    });
    await expect(broken).rejects.toThrow(
      /^training: at step \d+ the loss is NaN .*4 such steps are more than the 3 allowed \(maxBadSteps\)\. Its rows are \d+(, \d+)*\./,
    );
    const none = run('none', {
      learningRate: 1e30,
      maxGradNorm: 1e30,
      warmupRatio: 0,
      numTrainEpochs: 9,
      maxBadSteps: 0,
    });
    await expect(none).rejects.toThrow('1 such steps are more than the 0 allowed');
  });
});

describe('metrics by name', () => {
  it('are computed by evalModel, with their signatures in eval_results.txt', async () => {
    const model = await loadBart(fixture('base'), { args: { metrics: ['bleu', 'rougeL'] } });
    const outputDir = join(folder, 'named');
    const results = await model.evalModel(evalData, { outputDir, metrics: ['cer'] });
    expect(Object.keys(results)).toEqual(['eval_loss', 'bleu', 'rougeL', 'cer']);
    const text = readFileSync(join(outputDir, 'eval_results.txt'), 'utf8');
    expect(text).toContain(`cer = ${results.cer}\n`);
    expect(text).toContain('bleu_signature = nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0\n');
    model.dispose();
  });

  it('are the usual ones when generated texts are evaluated and none is named', async () => {
    const model = await loadBart(fixture('base'), { args: { evaluateGeneratedText: true } });
    const results = await model.evalModel(evalData, { outputDir: join(folder, 'usual') });
    expect(Object.keys(results)).toEqual(['eval_loss', 'bleu', 'chrf', 'exactMatch']);
    model.dispose();
  });

  it('that fail are reported with their row, and leave the other results in the file', async () => {
    const model = await loadBart(fixture('base'));
    const outputDir = join(folder, 'broken-metric');
    const broken = (_: readonly string[], predictions: readonly string[]) => {
      if (predictions.length > 0) throw new Error('out of order');
      return 0;
    };
    await expect(model.evalModel(evalData, { outputDir, metrics: { broken, fine: () => 3 } })).rejects.toThrow(
      /^evaluation: metrics: broken failed at row 1 .*out of order.* All else is in eval_results\.txt\.$/,
    );
    expect(readFileSync(join(outputDir, 'eval_results.txt'), 'utf8')).toContain('fine = 3\n');
    model.dispose();
  });
});
