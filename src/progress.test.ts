import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { formatDuration, formatRate, Progress } from './progress.js';

/** The line shown 36 seconds into a run that is 3 tenths done: 84 seconds are left. */
function lineOf(columns: number, note: string): string {
  let shown = '';
  const progress = new Progress('Training', 4000, false, { isTTY: true, columns, write: (text) => (shown = text) });
  vi.advanceTimersByTime(36_000);
  progress.update(1200, note);
  return shown.replace('\r\x1b[K', '');
}

describe('a line of progress', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  it('shows everything on 80 columns, with a shorter bar', () => {
    expect(lineOf(80, 'loss 2.31  lr 3.9e-5  5,120 tok/s')).toBe(
      'Training  ━━━━╌╌╌╌╌╌╌╌  1200/4000  loss 2.31  lr 3.9e-5  5,120 tok/s  1:24 left',
    );
  });

  it('has its whole bar where there is room', () => {
    expect(lineOf(120, 'loss 2.31')).toBe(
      `Training  ${'━'.repeat(7)}${'╌'.repeat(17)}  1200/4000  loss 2.31  1:24 left`,
    );
  });

  it.each([40, 45, 60, 80, 100])('cuts a long note, never the time left, on %i columns', (columns) => {
    const line = lineOf(columns, 'epoch 1/3  loss 2.3145  '.repeat(10));
    expect(line).toMatch(/ {2}1:24 left$/);
    expect(line.length).toBeLessThan(columns);
  });
});

it('writes rates and durations', () => {
  expect([5120, 3.44, 0, Number.NaN].map((rate) => formatRate(rate, 'tok'))).toEqual([
    '5,120 tok/s',
    '3.4 tok/s',
    '',
    '',
  ]);
  expect([7, 750, 7500].map(formatDuration)).toEqual(['0:07', '12:30', '2:05:00']);
});
