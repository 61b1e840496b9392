import { type BatchPlan, planBatches } from './batches.js';
import type { Examples } from './examples.js';

/** What decides the batches of a run. */
export interface RunPlanOptions {
  readonly numTrainEpochs: number;
  readonly maxSteps: number;
  readonly trainBatchSize: number;
  readonly batchTokens?: number | undefined;
  readonly gradientAccumulationSteps: number;
}

export interface PlannedRun {
  readonly examples: Examples;
  readonly options: RunPlanOptions;
  readonly seed: number;
}

/** The batches of one epoch. */
export function planOfEpoch({ examples, options, seed }: PlannedRun, epoch: number): BatchPlan {
  const { batchTokens, trainBatchSize: batchSize } = options;
  return planBatches(examples, batchTokens === undefined ? { batchSize } : { batchTokens }, { seed, epoch });
}

/** Optimizer steps of a run, and in how many epochs. With a budget of tokens the epochs' batches differ in number. */
export function planOfRun(run: PlannedRun): { readonly totalSteps: number; readonly epochs: number } {
  const { maxSteps, numTrainEpochs, gradientAccumulationSteps, batchTokens } = run.options;
  const stepsOfEpoch = (epoch: number) => Math.ceil(planOfEpoch(run, epoch).count / gradientAccumulationSteps);
  const first = stepsOfEpoch(0);
  if (maxSteps > 0) return { totalSteps: maxSteps, epochs: Math.ceil(maxSteps / first) };
  let totalSteps = first;
  for (let epoch = 1; epoch < numTrainEpochs; epoch++) {
    totalSteps += batchTokens === undefined ? first : stepsOfEpoch(epoch);
  }
  return { totalSteps, epochs: numTrainEpochs };
}
