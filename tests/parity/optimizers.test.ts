import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { defaultArgs, type Seq2SeqArgs } from '../../src/args/index.js';
import { openWeights } from '../../src/checkpoints/index.js';
import { KernelPool } from '../../src/kernels/index.js';
import { ModelWeights, PLANES } from '../../src/models/index.js';
import { createOptimizer, createSchedule, parameterGroups, type ScheduleName } from '../../src/training/index.js';
import { loadBart, readLog, rowsOf } from '../support.js';
import { isKeyBias } from './reference-model.js';

// What PyTorch and Transformers compute; see scripts/reference/optimizers.py.

type Settings = Record<string, unknown> & { optimizer: 'AdamW' | 'Adafactor'; lr: number | null };
interface Reference {
  steps: number;
  shapes: Record<string, number[]>;
  updates: Record<string, { settings: Settings; weights: Record<string, number[]> }>;
  schedules: Record<ScheduleName, number[]>;
  runs: Record<
    string,
    {
      arguments: { optimizer: Settings; schedule: ScheduleName; groups?: object[]; layers?: object[]; only?: boolean };
      loss: number[];
      lr: number[];
      norms: Record<string, number>;
    }
  >;
}
const fixtures = path.join(import.meta.dirname, '../fixtures');
const reference: Reference = JSON.parse(readFileSync(path.join(fixtures, 'optimizers.json'), 'utf8'));
const scratch = mkdtempSync(path.join(tmpdir(), 'optimizers-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Python's arguments → our options. */
const NAMES: Record<string, keyof Seq2SeqArgs> = {
  optimizer: 'optimizer',
  lr: 'learningRate',
  weight_decay: 'weightDecay',
  betas: 'adamBetas',
  beta1: 'adafactorBeta1',
  clip_threshold: 'adafactorClipThreshold',
  decay_rate: 'adafactorDecayRate',
  relative_step: 'adafactorRelativeStep',
  scale_parameter: 'adafactorScaleParameter',
  warmup_init: 'adafactorWarmupInit',
};
function optionsOf(settings: Settings): Partial<Seq2SeqArgs> {
  const eps = settings.optimizer === 'AdamW' ? 'adamEpsilon' : 'adafactorEps';
  const entries = Object.entries(settings).filter(([, value]) => value !== null);
  return Object.fromEntries(entries.map(([name, value]) => [name === 'eps' ? eps : NAMES[name]!, value]));
}

/** Weights are those of step 0, gradients those of later ones. */
function fill(array: Float32Array, place: number, step: number): void {
  for (let i = 0; i < array.length; i++) {
    array[i] = Math.sin(1.7 * i + 3 * place) * (step === 0 ? 1.5 : Math.cos(0.9 * i * step));
  }
}

function smallWeights(): ModelWeights {
  const weights = new ModelWeights(
    Object.entries(reference.shapes).map(([name, shape]) => ({ name, shape, initialization: { kind: 'zeros' } })),
  );
  for (const [place, name] of Object.keys(reference.shapes).entries()) fill(weights.array(name), place, 0);
  weights.prepareTraining();
  return weights;
}

describe.each(Object.entries(reference.updates))('ten updates of %s', (_, { settings, weights: expected }) => {
  const options = { ...defaultArgs, ...optionsOf(settings) };

  it.each([
    ['in one go', []],
    ['saved and restored on the way', [4, 7]],
  ])('%s', async (_, restoredBehind) => {
    const weights = smallWeights();
    const pool = new KernelPool(2);
    const groups = parameterGroups(weights, options).map(({ parameters, settings }) => ({
      settings,
      parameters: parameters.map(({ name, weightDecay }) => ({ name, weightDecay: name === 'bias' ? 0 : weightDecay })),
    }));
    let optimizer = createOptimizer(options.optimizer, weights, groups, pool);
    for (let step = 1; step <= reference.steps; step++) {
      for (const [place, name] of Object.keys(reference.shapes).entries()) {
        fill(weights.planes.array(name, PLANES.gradients), place, step);
      }
      await optimizer.step(1, 1);
      if ((restoredBehind as number[]).includes(step)) {
        const { steps, tensors } = optimizer.state();
        const saved = { steps, tensors: tensors.map((tensor) => ({ ...tensor, data: tensor.data.slice() })) };
        optimizer = createOptimizer(options.optimizer, weights, groups, pool);
        optimizer.restore(saved);
      }
    }
    await pool.dispose();
    for (const [name, values] of Object.entries(expected)) {
      const largest = Math.max(...values.map(Math.abs));
      for (const [i, value] of weights.array(name).entries()) {
        expect(Math.abs(value - values[i]!) / largest, `${name}[${i}]`).toBeLessThan(2e-6);
      }
    }
  });
});

it.each(Object.entries(reference.schedules))('the learning rates of %s', (name, rates) => {
  const options = {
    learningRate: 0.003,
    cosineScheduleNumCycles: name.includes('restarts') ? 3 : 0.5,
    polynomialDecayScheduleLrEnd: 1e-4,
    polynomialDecaySchedulePower: 2,
  };
  const schedule = createSchedule(name as ScheduleName, options, 3, 10);
  for (const [step, rate] of rates.entries()) expect(0.003 * schedule(step)).toBeCloseTo(rate, 12);
});

describe.each(Object.entries(reference.runs))('ten steps with %s', (name, { arguments: given, loss, lr, norms }) => {
  it('have the losses, the learning rates and the weights', async () => {
    const outputDir = path.join(scratch, name);
    const model = await loadBart(path.join(fixtures, 'bart/base'), {
      args: {
        ...optionsOf(given.optimizer),
        scheduler: given.schedule,
        warmupSteps: 3,
        cosineScheduleNumCycles: given.schedule.includes('restarts') ? 3 : 0.5,
        polynomialDecayScheduleLrEnd: 1e-4,
        polynomialDecaySchedulePower: 2,
        customParameterGroups: given.groups ?? [],
        customLayerParameters: given.layers ?? [],
        trainCustomParametersOnly: given.only ?? false,
        numTrainEpochs: 10,
        trainBatchSize: 64,
        loggingSteps: 1,
        saveModelEveryEpoch: false,
      },
    });
    await model.trainModel(rowsOf('base', 'train'), { outputDir });
    model.dispose();
    for (const [i, entry] of readLog(outputDir).entries()) {
      expect(Math.abs(entry.loss / loss[i]! - 1), `loss of step ${i + 1}`).toBeLessThan(1e-5);
      if (given.optimizer.lr !== null) expect(entry.lr).toBeCloseTo(lr[i]!, 10);
    }
    const trained = openWeights(path.join(outputDir, 'model.safetensors'));
    for (const [weight, norm] of Object.entries(norms).filter(([each]) => !isKeyBias(each))) {
      const data = new Float32Array(trained.weights.get(weight)!.shape.reduce((a, b) => a * b, 1));
      trained.weights.get(weight)!.read(data);
      expect(Math.abs(Math.hypot(...data) - norm) / norm, weight).toBeLessThan(1e-4);
    }
    trained.close();
  });
});
