/** Training and evaluation: from rows of token ids to a loss, and from its gradients to better weights. */
export { type Batch, createBatch } from './batch.js';
export { evaluateLoss } from './evaluate.js';
export { type EncodedExamples, type Example, Examples, encodeExamples } from './examples.js';
export { GradientProgram } from './gradient-program.js';
export { AdamW, type AdamWOptions, decays, gradientNorm } from './optimizer.js';
export { linearScheduleWithWarmup, type Schedule, warmupStepsOf } from './schedule.js';
export { type TrainingLogEntry, type TrainingOptions, type TrainingResult, type TrainingRun, train } from './train.js';
