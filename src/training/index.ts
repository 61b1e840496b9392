/** Training and evaluation: from rows of token ids to a loss, and from its gradients to better weights. */
export { type Batch, createBatch } from './batch.js';
export type { BatchPlan } from './batches.js';
export { evaluateLoss } from './evaluate.js';
export { type Example, Examples, examplesOf } from './examples.js';
export { GradientProgram } from './gradient-program.js';
export { estimateMemory, memoryThere } from './memory.js';
export {
  createOptimizer,
  createSchedule,
  gradientNorm,
  type Optimizer,
  type OptimizerSettings,
  type ParameterGroup,
  parameterGroups,
  type ScheduleName,
} from './optimizers/index.js';
export { type ResumePoint, resumePoint, type SavedWithModel } from './run-directory.js';
export { RunPlan } from './run-plan.js';
export { resultsText } from './saved-state.js';
export { train } from './train.js';
export { type RunIdentity, requireSameRun } from './trainer-state.js';
export type { EvaluationLogEntry, TrainingLogEntry } from './training-log.js';
export type {
  Evaluation,
  TrainingCallbacks,
  TrainingOptions,
  TrainingResult,
  TrainingRun,
  TrainingStep,
} from './training-run.js';
