import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { fail } from '../errors.js';
import { type BestState, noBest } from './best-result.js';

export const STATE_FILE = 'trainer_state.json';
export const OPTIMIZER_FILE = 'optimizer.safetensors';

/** What a run was started with and must be resumed with. */
export interface RunIdentity {
  /** Of the training rows as tokens, and of those evaluated while training. */
  readonly data: Readonly<Record<string, string>>;
  /** The options that change a result, by their names. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** A row of `training_progress_scores.csv`. */
export interface ProgressScore extends Readonly<Record<string, number>> {
  readonly global_step: number;
  readonly train_loss: number;
}

/** Sums over steps: all of them, or those since something was written. */
export interface RunningSums {
  steps: number;
  loss: number;
  tokens: number;
  /** Of the rectangles [rows, longest] that the tokens fill a part of. */
  places: number;
}

export const noSums = (): RunningSums => ({ steps: 0, loss: 0, tokens: 0, places: 0 });

/**
 * `trainer_state.json`: with the weights and the optimizer's state beside it, all that decides how a run goes on. The
 * random numbers are functions of the seed, the epoch and the batch's number, so these three are the random state.
 */
export interface TrainerState extends BestState {
  format: 1;
  /** Tells the runs in one output directory apart. */
  run_id: string;
  /** Optimizer steps done, skipped ones among them. */
  global_step: number;
  max_steps: number;
  /** Epochs done. */
  epoch: number;
  /** Batches of the epoch under way that are done. */
  batch_in_epoch: number;
  /** Batches done in all: dropout is a function of it. */
  batch_number: number;
  /** The evaluation and the checkpoint due after this step were not made. */
  step_pending: boolean;
  /** Training has ended. */
  finished: 'steps' | 'early stopping' | null;
  seed: number;
  /** That computed so far: another number rounds otherwise. */
  threads: number;
  /** Steps skipped because the loss or a gradient was not finite. */
  bad_steps: number;
  /** Over all steps but bad ones. */
  total: RunningSums;
  since_log: RunningSums;
  since_evaluation: RunningSums;
  progress_scores: ProgressScore[];
  optimizer_steps: number;
  identity: RunIdentity;
}

export function initialState(run: {
  runId: string;
  seed: number;
  threads: number;
  totalSteps: number;
  identity: RunIdentity;
}): TrainerState {
  return {
    format: 1,
    run_id: run.runId,
    global_step: 0,
    max_steps: run.totalSteps,
    epoch: 0,
    batch_in_epoch: 0,
    batch_number: 0,
    step_pending: false,
    finished: null,
    seed: run.seed,
    threads: run.threads,
    bad_steps: 0,
    ...noBest,
    total: noSums(),
    since_log: noSums(),
    since_evaluation: noSums(),
    progress_scores: [],
    optimizer_steps: 0,
    identity: run.identity,
  };
}

/** NaN and infinity have no form in JSON, and sums may be either. */
const SPECIAL: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

export function stateToJson(state: TrainerState): string {
  const replace = (_: string, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? { number: String(value) } : value;
  return `${JSON.stringify(state, replace, 2)}\n`;
}

/** The state saved in a directory; undefined where there is none. */
export function readState(directory: string): TrainerState | undefined {
  const file = path.join(directory, STATE_FILE);
  if (!existsSync(file)) return undefined;
  const revive = (_: string, value: unknown) =>
    typeof value === 'object' && value !== null && Object.keys(value).join() === 'number' && 'number' in value
      ? (SPECIAL[String(value.number)] ?? value)
      : value;
  let state: TrainerState;
  try {
    state = JSON.parse(readFileSync(file, 'utf8'), revive) as TrainerState;
  } catch (error) {
    return fail(
      'resume',
      `${file} cannot be read: ${(error as Error).message}. Resume from another checkpoint.`,
      error,
    );
  }
  const expected = initialState({ runId: '', seed: 0, threads: 1, totalSteps: 0, identity: { data: {}, options: {} } });
  const missing = Object.keys(expected).filter((name) => !(name in (state ?? {})));
  if (state?.format !== 1 || missing.length > 0) {
    fail(
      'resume',
      `${file} is no state of this version${missing.length > 0 ? `: it lacks ${missing.join(', ')}` : ''}. ` +
        'Resume with the version that wrote it, or from another checkpoint.',
    );
  }
  return state;
}

/** Refuses to go on with other data or options than the run was started with. */
export function requireSameRun(saved: RunIdentity, now: RunIdentity, place: string): void {
  const differing = (a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>) =>
    [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(
      (name) => !isDeepStrictEqual(plain(a[name]), plain(b[name])),
    );
  const data = differing(saved.data, now.data);
  if (data.length > 0) {
    fail(
      'resume',
      `the ${data.join(' and the ')} are not those that the run in ${place} was started with: as tokens they differ ` +
        `(${data.map((name) => `${show(saved.data[name])} then, ${show(now.data[name])} now`).join('; ')}). ` +
        'Give the same rows, tokenizer and lengths, or start a new run in another directory.',
    );
  }
  const options = differing(saved.options, now.options);
  if (options.length > 0) {
    const changes = options.map((name) => `${name} was ${show(saved.options[name])} and is ${show(now.options[name])}`);
    fail(
      'resume',
      `options differ from those of the run in ${place}: ${changes.join('; ')}. Give the same, or start a new run in another directory.`,
    );
  }
}

/** As JSON has it: without what is not set. */
const plain = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

function show(value: unknown): string {
  const text = value === undefined ? 'unset' : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
