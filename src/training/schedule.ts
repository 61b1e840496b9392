/** The learning rate of an optimizer step, as a factor of the option `learningRate`; steps count from 0. */
export type Schedule = (step: number) => number;

/** Rises linearly from 0 over the warm-up steps, then falls linearly to 0 at the last (Transformers' schedule of that name). */
export function linearScheduleWithWarmup(warmupSteps: number, totalSteps: number): Schedule {
  return (step) =>
    step < warmupSteps
      ? step / Math.max(1, warmupSteps)
      : Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warmupSteps));
}

/** The warm-up asked for: `warmupSteps` if given, else a share of all steps. */
export function warmupStepsOf(totalSteps: number, warmupSteps: number, warmupRatio: number): number {
  return warmupSteps > 0 ? warmupSteps : Math.ceil(totalSteps * warmupRatio);
}
