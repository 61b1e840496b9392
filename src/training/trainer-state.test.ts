import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { initialState, readState, requireSameRun, STATE_FILE, stateToJson } from './trainer-state.js';

const directory = mkdtempSync(path.join(tmpdir(), 'state-'));
afterAll(() => rmSync(directory, { recursive: true }));
const identity = { data: { 'training rows': 'abc' }, options: { learningRate: 1e-4, customParameterGroups: [] } };

describe('trainer_state.json', () => {
  it('comes back as it was, numbers that JSON has no form for among them', () => {
    const state = initialState({ runId: 'a', seed: 2 ** 32 - 1, threads: 2, totalSteps: 40, identity });
    state.total.loss = 0.1 + 0.2;
    state.progress_scores.push({ global_step: 3, train_loss: Number.NaN, eval_loss: Number.NEGATIVE_INFINITY });
    writeFileSync(path.join(directory, STATE_FILE), stateToJson(state));
    expect(readState(directory)).toEqual(state);
  });
});

describe('a resumed run', () => {
  it('has the data and options it was started with', () => {
    expect(() => requireSameRun(identity, structuredClone(identity), 'outputs')).not.toThrow();
    const options = { ...identity.options, learningRate: 2e-4, scheduler: 'constant_schedule' };
    expect(() => requireSameRun(identity, { ...identity, options }, 'outputs')).toThrow(
      'learningRate was 0.0001 and is 0.0002; scheduler was unset and is "constant_schedule"',
    );
    expect(() => requireSameRun(identity, { ...identity, data: { 'training rows': 'abd' } }, 'outputs')).toThrow(
      'resume: the training rows are not those that the run in outputs was started with',
    );
  });

  it('takes an option that is unset for one that is not there, as JSON does', () => {
    const options = { ...identity.options, batchTokens: undefined };
    expect(() => requireSameRun(identity, { ...identity, options }, 'outputs')).not.toThrow();
  });
});
