import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fail, Seq2SeqError } from '../errors.js';
import {
  asUsage,
  describeFailure,
  exitCodeOf,
  Interrupted,
  systemReason,
  UsageError,
  unlessStopped,
} from './failure.js';

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('exit codes', () => {
  it.each([
    [new UsageError('train', 'no.'), 2],
    [new Seq2SeqError('args', 'numBeams.'), 2],
    [new Seq2SeqError('data', 'no.'), 1],
    [new TypeError('x is not a function'), 1],
    [new Interrupted('SIGINT', 130), 130],
  ])('%s → %i', (error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });

  it('make a complaint about what the user wrote bad usage, with the same message', () => {
    const error = thrownBy(() => asUsage(() => fail('args', 'maxLength is 0.')));
    expect(error).toBeInstanceOf(UsageError);
    expect(describeFailure(error)).toBe('args: maxLength is 0.');
    expect(thrownBy(() => asUsage(() => JSON.parse('{')))).toBeInstanceOf(SyntaxError);
  });
});

describe('unlessStopped', () => {
  const never = new Promise<never>(() => {});

  it('gives the result, or the reason to stop, whichever is first', async () => {
    expect(await unlessStopped(Promise.resolve(3), new AbortController().signal)).toBe(3);
    const controller = new AbortController();
    const stopped = unlessStopped(never, controller.signal);
    controller.abort(new Interrupted('SIGINT', 130));
    await expect(stopped).rejects.toThrow('stopped by SIGINT.');
    await expect(unlessStopped(never, controller.signal)).rejects.toThrow('stopped by SIGINT.');
  });
});

it("tells the system's reason alone", () => {
  expect(systemReason(thrownBy(() => readFileSync('/none/at/all')))).toBe('no such file or directory');
  expect(systemReason(new Error('something else'))).toBe('something else');
});
