import type { RunLogger } from '../loggers/index.js';
import type { ModelWeights, Seq2SeqArchitecture } from '../models/index.js';
import type { JudgingOptions } from './best-result.js';
import type { Examples } from './examples.js';
import type { GroupOptions, ScheduleName, ScheduleOptions } from './optimizers/index.js';
import type { FindDocuments } from './rag-batch.js';
import type { ResumePoint, SavedWithModel } from './run-directory.js';
import type { RunPlan } from './run-plan.js';
import type { RunIdentity } from './trainer-state.js';

export interface TrainingOptions extends JudgingOptions, GroupOptions, ScheduleOptions {
  scheduler: ScheduleName;
  numTrainEpochs: number;
  /** Ends training after this many optimizer steps, whatever the epochs say; −1 for no limit. */
  maxSteps: number;
  trainBatchSize: number;
  /** Tokens of a batch instead of its rows. */
  batchTokens?: number | undefined;
  gradientAccumulationSteps: number;
  /** Batches that are made ahead, while the engine is at work. */
  dataloaderNumWorkers: number;
  labelSmoothing: number;
  /** Gradients are scaled down to this norm when theirs is larger. */
  maxGradNorm: number;
  warmupSteps: number;
  warmupRatio: number;
  /** Steps without a finite loss or gradient that are skipped; one more ends training. */
  maxBadSteps: number;
  threads: number;
  loggingSteps: number;
  evaluateDuringTrainingSteps: number;
  evaluateDuringTrainingVerbose: boolean;
  evaluateEachEpoch: boolean;
  saveSteps: number;
  saveModelEveryEpoch: boolean;
  saveEvalCheckpoints: boolean;
  saveBestModel: boolean;
  bestModelDir: string;
  saveOptimizerAndScheduler: boolean;
  /** Checkpoints that stay; the earliest go. 0 for all. */
  saveTotalLimit: number;
  noSave: boolean;
  silent: boolean;
  showRunningLoss: boolean;
}

/** What an evaluation while training found. */
export interface Evaluation {
  /** eval_loss, and metrics by their names. */
  readonly results: Readonly<Record<string, number>>;
  /** Why a metric has no result, a line each; training goes on. */
  readonly failures: readonly string[];
  /** Some generated texts in Markdown, for those who watch. */
  readonly samples?: string | undefined;
}

/** What a step did, for `onStep`. */
export interface TrainingStep {
  readonly step: number;
  readonly totalSteps: number;
  readonly epoch: number;
  readonly loss: number;
  readonly learningRate: number;
  /** Before clipping. */
  readonly gradientNorm: number;
}

/** Called while training, and waited for, if they return a promise. What one throws ends training. */
export interface TrainingCallbacks {
  onStep?: ((step: TrainingStep) => unknown) | undefined;
  onEvaluate?: ((results: Readonly<Record<string, number>>, step: number) => unknown) | undefined;
  /** Hears of each directory that was saved: checkpoints, the best model, the final one. */
  onSave?: ((directory: string, step: number) => unknown) | undefined;
}

export interface TrainingRun {
  readonly architecture: Seq2SeqArchitecture;
  readonly weights: ModelWeights;
  readonly examples: Examples;
  readonly outputDir: string;
  readonly options: TrainingOptions;
  readonly seed: number;
  /** Of the examples, by the options and the seed. */
  readonly plan: RunPlan;
  /** Of a resumed run, that of its state. */
  readonly runId: string;
  readonly identity: RunIdentity;
  /** Where to go on; the weights are those saved there already. */
  readonly resume?: ResumePoint | undefined;
  /** Writes the model as it is now to a directory, with further files. */
  readonly save: (directory: string, extra: SavedWithModel) => Promise<void>;
  readonly evaluate?: ((signal: AbortSignal | undefined) => Promise<Evaluation>) | undefined;
  /** Of a model that retrieves. */
  readonly findDocuments?: FindDocuments | undefined;
  readonly loggers?: readonly RunLogger[];
  readonly callbacks?: TrainingCallbacks;
  readonly signal?: AbortSignal | undefined;
}

export interface TrainingResult {
  globalStep: number;
  /** Mean over all steps. */
  trainingLoss: number;
  /** Steps skipped because the loss or a gradient was not finite. */
  badSteps: number;
  endedBy: 'steps' | 'early stopping';
  /** The rows of `training_progress_scores.csv`. */
  progressScores: readonly Readonly<Record<string, number>>[];
}
