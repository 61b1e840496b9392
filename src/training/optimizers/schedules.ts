import { fail } from '../../errors.js';

/** The learning rate of an optimizer step, as a factor of the option `learningRate`; steps count from 0. */
export type Schedule = (step: number) => number;

export type ScheduleName =
  | 'linear_schedule_with_warmup'
  | 'constant_schedule'
  | 'constant_schedule_with_warmup'
  | 'cosine_schedule_with_warmup'
  | 'cosine_with_hard_restarts_schedule_with_warmup'
  | 'polynomial_decay_schedule_with_warmup';

export interface ScheduleOptions {
  learningRate: number;
  cosineScheduleNumCycles: number;
  polynomialDecayScheduleLrEnd: number;
  polynomialDecaySchedulePower: number;
}

/** The factor behind the warm-up, by the share of the steps behind it that are done (Transformers' `optimization.py`). */
const decay: Readonly<Record<ScheduleName, (share: number, options: ScheduleOptions) => number>> = {
  linear_schedule_with_warmup: (share) => Math.max(0, 1 - share),
  constant_schedule: () => 1,
  constant_schedule_with_warmup: () => 1,
  /** Waves of the cosine, half a wave by default: from 1 down to 0. */
  cosine_schedule_with_warmup: (share, { cosineScheduleNumCycles: cycles }) =>
    Math.max(0, 0.5 * (1 + Math.cos(Math.PI * cycles * 2 * share))),
  /** Each cycle falls from 1 to 0 and starts again at 1. */
  cosine_with_hard_restarts_schedule_with_warmup: (share, { cosineScheduleNumCycles: cycles }) =>
    share >= 1 ? 0 : Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((cycles * share) % 1)))),
  /** From 1 to lrEnd/learningRate, along (1 − share)^power. */
  polynomial_decay_schedule_with_warmup: (
    share,
    { learningRate, polynomialDecayScheduleLrEnd: end, polynomialDecaySchedulePower: power },
  ) => (share > 1 ? end : (learningRate - end) * (1 - share) ** power + end) / learningRate,
};

/** A schedule by name: rises linearly from 0 over the warm-up (`constant_schedule` has none), then goes on by its formula. */
export function createSchedule(
  name: ScheduleName,
  options: ScheduleOptions,
  warmupSteps: number,
  totalSteps: number,
): Schedule {
  const { learningRate, polynomialDecayScheduleLrEnd: end } = options;
  if (name === 'polynomial_decay_schedule_with_warmup' && end >= learningRate) {
    fail(
      'args',
      `polynomialDecayScheduleLrEnd is ${end}, which is not below learningRate ${learningRate}. Lower the one or raise the other.`,
    );
  }
  const warmup = name === 'constant_schedule' ? 0 : warmupSteps;
  return (step) => {
    if (step < warmup) return step / Math.max(1, warmup);
    return decay[name]((step - warmup) / Math.max(1, totalSteps - warmup), options);
  };
}

/** The warm-up asked for: `warmupSteps` if given, else a share of all steps. */
export function warmupStepsOf(totalSteps: number, warmupSteps: number, warmupRatio: number): number {
  return warmupSteps > 0 ? warmupSteps : Math.ceil(totalSteps * warmupRatio);
}
