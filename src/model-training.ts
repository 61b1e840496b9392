import { randomInt, randomUUID } from 'node:crypto';
import path from 'node:path';
import process from 'node:process';
import { defaultArgs, type OptionName, type Seq2SeqArgs } from './args/index.js';
import { optionsTable, type RunLogger, TensorBoardLogger, WandbLogger } from './loggers/index.js';
import { restoreWeights } from './model-loading.js';
import { findDocumentsOf, type ModelParts } from './model-parts.js';
import type { ModelRows } from './model-rows.js';
import { saveKnowledge, saveModel } from './model-saving.js';
import { pick } from './pick.js';
import {
  type Evaluation,
  type ResumePoint,
  RunPlan,
  requireSameRun,
  type TrainingCallbacks,
  type TrainingResult,
  train,
} from './training/index.js';
import { trainingSummary } from './training-summary.js';

/**
 * Options that change what a run computes. A resumed run must have them as they were; all others, such as where files go or
 * how much is shown, may change.
 */
const DEFINING = [
  'numTrainEpochs',
  'maxSteps',
  'trainBatchSize',
  'batchTokens',
  'gradientAccumulationSteps',
  'learningRate',
  'optimizer',
  'adamBetas',
  'adamEpsilon',
  'weightDecay',
  'labelSmoothing',
  'maxGradNorm',
  'scheduler',
  'warmupRatio',
  'warmupSteps',
  'manualSeed',
  'adafactorBeta1',
  'adafactorClipThreshold',
  'adafactorDecayRate',
  'adafactorEps',
  'adafactorRelativeStep',
  'adafactorScaleParameter',
  'adafactorWarmupInit',
  'cosineScheduleNumCycles',
  'polynomialDecayScheduleLrEnd',
  'polynomialDecaySchedulePower',
  'customLayerParameters',
  'customParameterGroups',
  'trainCustomParametersOnly',
  'config',
  'evaluateDuringTraining',
  'evaluateDuringTrainingSteps',
  'evaluateEachEpoch',
  'useEarlyStopping',
  'earlyStoppingMetric',
  'earlyStoppingMetricMinimize',
  'earlyStoppingDelta',
  'earlyStoppingPatience',
  'earlyStoppingConsiderEpochs',
] as const satisfies readonly OptionName[];

export interface ModelTraining {
  readonly parts: ModelParts;
  readonly args: Seq2SeqArgs;
  readonly outputDir: string;
  readonly rows: ModelRows;
  readonly evaluationFingerprint?: string | undefined;
  readonly evaluate?: ((signal: AbortSignal | undefined) => Promise<Evaluation>) | undefined;
  readonly resume: ResumePoint | undefined;
  readonly threads: number;
  readonly showRunningLoss: boolean;
  readonly callbacks: TrainingCallbacks;
  readonly signal: AbortSignal | undefined;
}

/** Trains a model's weights in place, to the end of the run or where it is stopped, and saves what the options say. */
export async function trainParts(training: ModelTraining): Promise<TrainingResult> {
  const { parts, args, outputDir, rows, evaluate, resume, threads } = training;
  const bestModelDir =
    args.bestModelDir === defaultArgs.bestModelDir ? path.join(outputDir, 'best_model') : args.bestModelDir;
  const identity = identityOf(training);
  if (resume) requireSameRun(resume.state.identity, identity, resume.directory ?? outputDir);
  if (resume?.directory !== undefined) restoreWeights(resume.directory, parts);
  const runId = resume?.state.run_id ?? randomUUID();
  const options = {
    ...args,
    threads,
    bestModelDir,
    saveTotalLimit: args.saveTotalLimit ?? 0,
    showRunningLoss: training.showRunningLoss,
  };
  const seed = args.manualSeed ?? resume?.state.seed ?? randomInt(2 ** 32);
  const plan = new RunPlan(rows.examples, options, seed);
  if (!args.silent) {
    for (const line of trainingSummary(parts, args, rows, plan, process.stderr.columns))
      process.stderr.write(`${line}\n`);
  }
  const loggers = startLoggers(args, runId, resume?.state.global_step ?? 0);
  try {
    return await train({
      architecture: parts.architecture,
      weights: parts.weights,
      examples: rows.examples,
      options,
      seed,
      plan,
      outputDir,
      runId,
      identity,
      resume,
      save: async (directory, extra) => {
        await saveModel(directory, parts, args, extra);
        const isEnd = path.resolve(directory) === path.resolve(outputDir);
        if (isEnd || args.saveKnowledgeDatasetWithCheckpoints) await saveKnowledge(directory, parts, args);
      },
      evaluate,
      findDocuments: findDocumentsOf(parts),
      loggers,
      callbacks: training.callbacks,
      signal: training.signal,
    });
  } finally {
    await Promise.all(loggers.map((logger) => logger.close()));
  }
}

function identityOf({ args, rows, evaluationFingerprint, parts }: ModelTraining) {
  return {
    data: {
      'training rows': rows.encoded.fingerprint,
      ...(evaluationFingerprint !== undefined && { 'evaluation rows': evaluationFingerprint }),
    },
    options: { modelType: parts.architecture.type, ...pick(args, ...DEFINING) },
  };
}

/** Those that the options ask for. A run of a sweep is logged where the sweep is, whose variables name the project. */
function startLoggers(args: Seq2SeqArgs, runId: string, step: number): RunLogger[] {
  const project = args.wandbProject ?? (args.sweepConfig && process.env.WANDB_PROJECT);
  const loggers: (RunLogger | undefined)[] = [
    args.tensorboardDir === undefined ? undefined : new TensorBoardLogger(args.tensorboardDir, step),
    project === undefined
      ? undefined
      : WandbLogger.start({
          project,
          kwargs: args.wandbKwargs,
          config: { ...args },
          id: runId.slice(0, 8),
        }),
  ];
  const started = loggers.filter((logger) => logger !== undefined);
  for (const logger of started) logger.text(step, 'options', optionsTable(args));
  return started;
}
