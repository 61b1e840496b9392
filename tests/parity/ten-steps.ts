import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { defaultArgs } from '../../src/args/index.js';
import { TokenStore } from '../../src/data/index.js';
import {
  Examples,
  evaluateLoss,
  RunPlan,
  type TrainingLogEntry,
  type TrainingOptions,
  train,
} from '../../src/training/index.js';
import { isKeyBias, type LoadedFixture, type readReference } from './reference-model.js';

/** Sources and targets. */
type Rows = [sources: number[][], targets: number[][]];

/** Ten full-batch steps of PyTorch's AdamW, and Transformers' evaluation before and after. */
export interface ExpectedTraining {
  hyperparameters: { learning_rate: number; weight_decay: number; warmup_ratio: number };
  ids: { train: Rows; eval: Rows };
  loss: number[];
  grad_norm: number[];
  lr: number[];
  eval_loss: number;
  eval_loss_after: number;
}

/** `training_log.jsonl` of ten steps. */
export function holdLog(outputDir: string, training: ExpectedTraining): void {
  const lines = readFileSync(path.join(outputDir, 'training_log.jsonl'), 'utf8').trim().split('\n');
  expect(lines).toHaveLength(10);
  for (const [i, line] of lines.entries()) {
    const { step, loss, grad_norm, lr } = JSON.parse(line) as TrainingLogEntry;
    expect(step).toBe(i + 1);
    expect(Math.abs(loss / training.loss[i]! - 1), `loss of step ${step}`).toBeLessThan(1e-4);
    expect(Math.abs(grad_norm / training.grad_norm[i]! - 1), `norm of step ${step}`).toBeLessThan(1e-3);
    expect(lr).toBeCloseTo(training.lr[i]!, 12);
  }
}

/** The trained weights that a reference has, by their names. */
export function holdTrained(
  { names, array }: Pick<ReturnType<typeof readReference>, 'names' | 'array'>,
  trained: (name: string) => Float32Array,
): void {
  const compared = names.filter((name) => name.startsWith('trained.') && !isKeyBias(name));
  expect(compared.length).toBeGreaterThan(10);
  for (const name of compared) {
    const ours = trained(name.slice('trained.'.length));
    for (const [i, value] of array(name).entries()) expect(Math.abs(ours[i]! - value), name).toBeLessThan(1e-4);
  }
}

/** Trains the model, changing its weights, and holds each step and the evaluations to the reference's. */
export async function runTenSteps(
  { architecture, weights }: LoadedFixture,
  training: ExpectedTraining,
  reference: Pick<ReturnType<typeof readReference>, 'names' | 'array'>,
): Promise<void> {
  const { ids, hyperparameters } = training;
  const arrays = (rows: number[][]) => rows.map((row) => Int32Array.from(row));
  const examples = ([sources, targets]: Rows) => new Examples(TokenStore.of(arrays(sources), arrays(targets)));
  const evaluate = () => evaluateLoss(architecture, weights, examples(ids.eval), { batchSize: 2, threads: 2 });
  const outputDir = mkdtempSync(path.join(tmpdir(), 'parity-'));
  const options: TrainingOptions = {
    ...defaultArgs,
    numTrainEpochs: 10,
    trainBatchSize: 64,
    learningRate: hyperparameters.learning_rate,
    weightDecay: hyperparameters.weight_decay,
    warmupRatio: hyperparameters.warmup_ratio,
    threads: 2,
    loggingSteps: 1,
    noSave: true,
    silent: true,
    showRunningLoss: false,
    saveTotalLimit: 0,
  };
  try {
    expect(Math.abs((await evaluate()).mean / training.eval_loss - 1)).toBeLessThan(1e-5);
    const trained = examples(ids.train);
    await train({
      architecture,
      weights,
      examples: trained,
      outputDir,
      options,
      seed: 1,
      plan: new RunPlan(trained, options, 1),
      runId: 'test',
      identity: { data: {}, options: {} },
      save: async () => {},
    });
    holdLog(outputDir, training);
    expect(Math.abs((await evaluate()).mean / training.eval_loss_after - 1)).toBeLessThan(1e-4);
    holdTrained(reference, (name) => weights.array(name));
  } finally {
    rmSync(outputDir, { recursive: true });
  }
}
