import { type BatchPlan, planBatches, type RowLengths } from './batches.js';

/** What decides the batches of a run. */
export interface RunPlanOptions {
  readonly numTrainEpochs: number;
  readonly maxSteps: number;
  readonly trainBatchSize: number;
  readonly batchTokens?: number | undefined;
  readonly gradientAccumulationSteps: number;
}

/** The batches of a run: a function of the rows' lengths, the options and the seed. */
export class RunPlan {
  readonly totalSteps: number;
  readonly epochs: number;
  readonly #rows: RowLengths;
  readonly #options: RunPlanOptions;
  readonly #seed: number;
  /** The epoch asked for last: its order is a sort of all rows. */
  #last: { readonly epoch: number; readonly batches: BatchPlan } | undefined;

  constructor(rows: RowLengths, options: RunPlanOptions, seed: number) {
    this.#rows = rows;
    this.#options = options;
    this.#seed = seed;
    const { maxSteps, numTrainEpochs, batchTokens } = options;
    if (maxSteps > 0) {
      this.totalSteps = maxSteps;
      this.epochs = Math.ceil(maxSteps / this.#stepsOf(0));
      return;
    }
    this.epochs = numTrainEpochs;
    if (batchTokens === undefined) {
      this.totalSteps = numTrainEpochs * this.#stepsOf(0);
      return;
    }
    // The epochs differ in number of batches. Backwards, so that the first one, which is trained first, is at hand.
    let totalSteps = 0;
    for (let epoch = numTrainEpochs - 1; epoch >= 0; epoch--) totalSteps += this.#stepsOf(epoch);
    this.totalSteps = totalSteps;
  }

  /** The batches of one epoch. */
  epoch(epoch: number): BatchPlan {
    if (this.#last?.epoch === epoch) return this.#last.batches;
    const { batchTokens, trainBatchSize: batchSize } = this.#options;
    const size = batchTokens === undefined ? { batchSize } : { batchTokens };
    const batches = planBatches(this.#rows, size, { seed: this.#seed, epoch });
    this.#last = { epoch, batches };
    return batches;
  }

  #stepsOf(epoch: number): number {
    const { batchTokens, trainBatchSize, gradientAccumulationSteps } = this.#options;
    const batches = batchTokens === undefined ? Math.ceil(this.#rows.length / trainBatchSize) : this.epoch(epoch).count;
    return Math.ceil(batches / gradientAccumulationSteps);
  }
}
