import { closeSync, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeDirectory } from '../checkpoints/index.js';
import { shuffledIndices } from '../data/index.js';
import { fail } from '../errors.js';
import { KernelPool } from '../kernels/index.js';
import type { ModelWeights, Seq2SeqArchitecture } from '../models/index.js';
import { Progress } from '../progress.js';
import { createBatch } from './batch.js';
import type { Examples } from './examples.js';
import { GradientProgram } from './gradient-program.js';
import { AdamW, gradientNorm } from './optimizer.js';
import { linearScheduleWithWarmup, warmupStepsOf } from './schedule.js';

export interface TrainingOptions {
  numTrainEpochs: number;
  /** Ends training after this many optimizer steps, whatever the epochs say; −1 for no limit. */
  maxSteps: number;
  trainBatchSize: number;
  gradientAccumulationSteps: number;
  learningRate: number;
  adamBetas: readonly [number, number];
  adamEpsilon: number;
  weightDecay: number;
  /** Gradients are scaled down to this norm when theirs is larger; 0 for no limit. */
  maxGradNorm: number;
  warmupSteps: number;
  warmupRatio: number;
  seed: number;
  threads: number;
  loggingSteps: number;
  saveSteps: number;
  saveModelEveryEpoch: boolean;
  noSave: boolean;
  silent: boolean;
  showRunningLoss: boolean;
}

/** One line of `training_log.jsonl`. */
export interface TrainingLogEntry {
  step: number;
  /** Epochs done, with the fraction of the one under way. */
  epoch: number;
  /** Mean over the steps since the last entry. */
  loss: number;
  /** The learning rate of this step. */
  lr: number;
  /** Before clipping. */
  grad_norm: number;
  tokens_per_second: number;
}

export interface TrainingRun {
  readonly architecture: Seq2SeqArchitecture;
  readonly weights: ModelWeights;
  readonly examples: Examples;
  readonly outputDir: string;
  readonly options: TrainingOptions;
  /** Writes the model as it is now to a directory. */
  readonly save: (directory: string) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

export interface TrainingResult {
  globalStep: number;
  /** Mean over all steps. */
  trainingLoss: number;
}

/**
 * The training loop. Each epoch visits the examples in an order of its own, fixed by the seed; `gradientAccumulationSteps`
 * batches make one optimizer step (the last step of an epoch takes what is left). Everything random is a function of seed,
 * epoch and batch number, so equal runs end with equal weights, to the bit.
 */
export async function train(run: TrainingRun): Promise<TrainingResult> {
  const { architecture, weights, examples, outputDir, options, signal } = run;
  const batchesPerEpoch = Math.ceil(examples.length / options.trainBatchSize);
  const stepsPerEpoch = Math.ceil(batchesPerEpoch / options.gradientAccumulationSteps);
  const limited = options.maxSteps > 0;
  const totalSteps = limited ? options.maxSteps : stepsPerEpoch * options.numTrainEpochs;
  const epochs = limited ? Math.ceil(totalSteps / stepsPerEpoch) : options.numTrainEpochs;
  const schedule = linearScheduleWithWarmup(
    warmupStepsOf(totalSteps, options.warmupSteps, options.warmupRatio),
    totalSteps,
  );

  await makeDirectory(outputDir, 'outputDir');
  const log = new TrainingLog(path.join(outputDir, 'training_log.jsonl'));
  const pool = new KernelPool(options.threads);
  const program = new GradientProgram(architecture, weights, { seed: options.seed, threads: options.threads, pool });
  const optimizer = new AdamW(
    weights,
    program.trainable,
    { betas: options.adamBetas, epsilon: options.adamEpsilon, weightDecay: options.weightDecay },
    pool,
  );
  const progress = new Progress('Training', totalSteps, options.silent);
  const checkpoint = async (name: string) => {
    if (!options.noSave) await run.save(path.join(outputDir, name));
  };

  let step = 0;
  let batchNumber = 0;
  let lossSum = 0;
  let sinceLog = { loss: 0, steps: 0, tokens: 0, start: performance.now() };
  try {
    for (let epoch = 0; epoch < epochs && step < totalSteps; epoch++) {
      const order = shuffledIndices(examples.length, options.seed, epoch);
      for (let first = 0; first < batchesPerEpoch && step < totalSteps; first += options.gradientAccumulationSteps) {
        signal?.throwIfAborted();
        const count = Math.min(options.gradientAccumulationSteps, batchesPerEpoch - first);
        let loss = 0;
        for (let i = 0; i < count; i++) {
          const from = (first + i) * options.trainBatchSize;
          const rows = Array.from(order.subarray(from, from + options.trainBatchSize), (index) => examples.at(index));
          const batch = createBatch(rows, architecture, 1 / count);
          loss += await program.run(batch, batchNumber++, i > 0);
          sinceLog.tokens += batch.tokenCount;
        }
        const norm = await gradientNorm(weights, program.trainable, pool);
        const learningRate = options.learningRate * schedule(step);
        step++;
        if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
          fail(
            'training',
            `at step ${step} the loss is ${loss} and the gradient norm ${norm}, at learning rate ${learningRate}. ` +
              'Lower learningRate, or look for broken rows near this step.',
          );
        }
        const clip = options.maxGradNorm > 0 ? Math.min(1, options.maxGradNorm / (norm + 1e-6)) : 1;
        await optimizer.step(learningRate, clip);

        lossSum += loss;
        sinceLog.loss += loss;
        sinceLog.steps++;
        if (options.loggingSteps > 0 && step % options.loggingSteps === 0) {
          const seconds = (performance.now() - sinceLog.start) / 1000;
          log.write({
            step,
            epoch: epoch + (first + count) / batchesPerEpoch,
            loss: sinceLog.loss / sinceLog.steps,
            lr: learningRate,
            grad_norm: norm,
            tokens_per_second: Math.round(sinceLog.tokens / seconds),
          });
          sinceLog = { loss: 0, steps: 0, tokens: 0, start: performance.now() };
        }
        const running = options.showRunningLoss ? `loss ${loss.toFixed(4)}` : '';
        progress.update(step, [`epoch ${epoch + 1}/${epochs}`, running].filter(Boolean).join('  '));
        if (options.saveSteps > 0 && step % options.saveSteps === 0) await checkpoint(`checkpoint-${step}`);
      }
      if (options.saveModelEveryEpoch) await checkpoint(`checkpoint-${step}-epoch-${epoch + 1}`);
    }
    progress.finish();
  } finally {
    log.close();
    program.dispose();
    weights.forgetIn(pool);
    await pool.dispose();
  }
  return { globalStep: step, trainingLoss: lossSum / Math.max(1, step) };
}

/** `training_log.jsonl`: a line for each logged step, in the file as soon as it is written. */
class TrainingLog {
  readonly #path: string;
  readonly #file: number;

  constructor(place: string) {
    this.#path = place;
    this.#file = this.#guarded(() => openSync(place, 'w'));
  }

  write(entry: TrainingLogEntry): void {
    this.#guarded(() => writeFileSync(this.#file, `${JSON.stringify(entry)}\n`));
  }

  close(): void {
    closeSync(this.#file);
  }

  #guarded<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      return fail(
        'training',
        `${this.#path} cannot be written: ${(error as Error).message}. Make room or give access there.`,
        error,
      );
    }
  }
}
