import { expect, it } from 'vitest';
import { linearScheduleWithWarmup, warmupStepsOf } from './schedule.js';

it('rises to 1 over the warm-up and falls to 0 at the end', () => {
  const schedule = linearScheduleWithWarmup(2, 6);
  expect([0, 1, 2, 3, 4, 5, 6, 7].map(schedule)).toEqual([0, 0.5, 1, 0.75, 0.5, 0.25, 0, 0]);
});

it('starts at 1 without a warm-up', () => {
  expect([0, 1, 2].map(linearScheduleWithWarmup(0, 2))).toEqual([1, 0.5, 0]);
});

it('warms up for a share of all steps, rounded up, unless steps are given', () => {
  expect(warmupStepsOf(101, 0, 0.06)).toBe(7);
  expect(warmupStepsOf(101, 3, 0.06)).toBe(3);
});
