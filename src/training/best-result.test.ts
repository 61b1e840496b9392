import { describe, expect, it } from 'vitest';
import { type BestState, type JudgingOptions, judge, noBest } from './best-result.js';

const options: JudgingOptions = {
  earlyStoppingMetric: 'eval_loss',
  earlyStoppingMetricMinimize: true,
  earlyStoppingDelta: 0,
  useEarlyStopping: true,
  earlyStoppingPatience: 2,
  earlyStoppingConsiderEpochs: false,
};

/** For each value whether it is the best so far; `stop` where training ends. */
function judgeAll(values: number[], changed: Partial<JudgingOptions> = {}, kind: 'step' | 'epoch' = 'step'): string[] {
  let state: BestState = noBest;
  return values.map((value, i) => {
    const judged = judge(state, value, i + 1, kind, { ...options, ...changed });
    state = judged.state;
    return judged.stop ? 'stop' : judged.isBest ? 'best' : '';
  });
}

describe('the best result', () => {
  it('is the first, and then each that is better', () => {
    expect(judgeAll([3, 2, 2.5, 1])).toEqual(['best', 'best', '', 'best']);
    expect(judgeAll([0, -1])).toEqual(['best', 'best']);
  });

  it('is the highest where the metric is not minimised', () => {
    expect(judgeAll([1, 0, 2, 3], { earlyStoppingMetricMinimize: false })).toEqual(['best', '', 'best', 'best']);
  });

  it('has to be better by more than the delta', () => {
    expect(judgeAll([1, 0.95, 0.9, 0.89], { earlyStoppingDelta: 0.1 })).toEqual(['best', '', '', 'best']);
  });

  it('is never NaN, and comes after one', () => {
    expect(judgeAll([Number.NaN, 5, Number.NaN, 4])).toEqual(['', 'best', '', 'best']);
  });
});

describe('early stopping', () => {
  it('comes when one evaluation more than the patience was not better', () => {
    expect(judgeAll([1, 2, 2, 2])).toEqual(['best', '', '', 'stop']);
    expect(judgeAll([1, 2, 2, 0, 2, 2, 2])).toEqual(['best', '', '', 'best', '', '', 'stop']);
  });

  it('does not come unless asked for', () => {
    expect(judgeAll([1, 2, 2, 2, 2, 2], { useEarlyStopping: false })).not.toContain('stop');
  });

  it('counts evaluations after epochs when asked to', () => {
    expect(judgeAll([1, 2, 2, 2, 2], {}, 'epoch')).not.toContain('stop');
    expect(judgeAll([1, 2, 2, 2], { earlyStoppingConsiderEpochs: true }, 'epoch')).toContain('stop');
  });
});
