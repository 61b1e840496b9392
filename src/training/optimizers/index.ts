/** From gradients to updates: optimizers over groups of weights, and the learning rate over the steps. */
export { createOptimizer } from './create.js';
export { decays, type GroupOptions, parameterGroups } from './groups.js';
export type { Optimizer, OptimizerName, OptimizerSettings, OptimizerState, ParameterGroup } from './optimizer.js';
export { gradientNorm } from './pieces.js';
export { createSchedule, type Schedule, type ScheduleName, type ScheduleOptions, warmupStepsOf } from './schedules.js';
