/** Training and evaluation: from rows of token ids to a loss, and from its gradients to better weights. */
export { createBatch } from './batch.js';
export type { BatchPlan } from './batches.js';
export { evaluateLoss } from './evaluate.js';
export { type Example, Examples, examplesOf } from './examples.js';
export { GradientProgram } from './gradient-program.js';
export { estimateMemory, memoryThere } from './memory.js';
export {
  createOptimizer,
  createSchedule,
  gradientNorm,
  type ParameterGroup,
  parameterGroups,
  type ScheduleName,
} from './optimizers/index.js';
export { createRagBatch, type FindDocuments, type FoundDocuments, longestDocuments } from './rag-batch.js';
export { type ResumePoint, resumePoint } from './run-directory.js';
export { RunPlan } from './run-plan.js';
export { resultsText } from './saved-state.js';
export { train } from './train.js';
export { requireSameRun } from './trainer-state.js';
export type { EvaluationLogEntry, TrainingLogEntry } from './training-log.js';
export type {
  Evaluation,
  TrainingCallbacks,
  TrainingOptions,
  TrainingResult,
  TrainingStep,
} from './training-run.js';
