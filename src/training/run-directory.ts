import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import fs from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { giveBack, isRunning, nameAside, removeLeftovers } from '../aside.js';
import { makeDirectory, removeDirectory, type TensorToSave, writeFileWhole } from '../checkpoints/index.js';
import { fail } from '../errors.js';
import { OPTIMIZER_FILE, readState, STATE_FILE, stateToJson, type TrainerState } from './trainer-state.js';

/** What is saved with a model so that its training can go on. */
export interface SavedWithModel {
  readonly files: ReadonlyMap<string, string>;
  readonly weights: ReadonlyMap<string, readonly TensorToSave[]>;
}

const LOCK = 'training.lock';
/** A lock of another machine that was not touched for so long is one of a process that is gone. */
const STALE_MS = 120_000;
const TOUCH_MS = 30_000;
const CHECKPOINT = /^checkpoint-\d+(-epoch-\d+)?$/;

/** Directories that this process trains into. */
const held = new Set<string>();

/** The output directory of one run: who trains into it, its checkpoints, and how many of them stay. */
export class RunDirectory {
  readonly path: string;
  readonly #lock: string;
  #touched = performance.now();

  private constructor(directory: string) {
    this.path = directory;
    this.#lock = path.join(path.resolve(directory), LOCK);
  }

  /** Takes the directory for a run; a second one in it at the same time is refused. */
  static async open(directory: string): Promise<RunDirectory> {
    await makeDirectory(directory, 'outputDir');
    const run = new RunDirectory(directory);
    run.#take();
    await removeLeftovers(path.resolve(directory));
    return run;
  }

  close(): void {
    held.delete(this.#lock);
    rmSync(this.#lock, { force: true });
  }

  /** Shows other machines that the run is alive. */
  touch(): void {
    if (performance.now() - this.#touched < TOUCH_MS) return;
    this.#touched = performance.now();
    const now = new Date();
    try {
      utimesSync(this.#lock, now, now);
    } catch {
      // Somebody removed it; the run goes on.
    }
  }

  /** Notes a run at its beginning, so that it can be resumed before its first checkpoint; one noted already stays as it is. */
  async noteStart(state: TrainerState): Promise<void> {
    if (stateOrNothing(this.path)?.run_id !== state.run_id) await this.note(state);
  }

  /** Notes where the run of the directory is. */
  async note(state: TrainerState): Promise<void> {
    await writeFileWhole(path.join(this.path, STATE_FILE), stateToJson(state), 'outputDir');
  }

  /**
   * A checkpoint of a name. One that is there, of an earlier run or of the same steps of this one, stays until the new one is
   * whole, and never mixes with it.
   */
  async checkpoint(name: string, save: (directory: string) => Promise<void>, limit: number): Promise<string> {
    const place = path.join(this.path, name);
    const earlier = nameAside(path.resolve(place));
    const exists = await fs.stat(place).catch(() => undefined);
    if (exists) renameSync(place, earlier);
    try {
      await save(place);
    } catch (error) {
      if (exists) renameSync(earlier, place);
      giveBack(earlier);
      throw error;
    }
    if (exists) await removeDirectory(earlier);
    giveBack(earlier);
    if (limit > 0) {
      const ours = checkpointsOf(this.path, readState(place)?.run_id);
      for (const { directory } of ours.slice(0, Math.max(0, ours.length - limit))) await removeDirectory(directory);
    }
    return place;
  }

  #take(): void {
    const own = `${JSON.stringify({ pid: process.pid, host: hostname() })}\n`;
    const holder = readHolder(this.#lock);
    if (held.has(this.#lock) || (holder && isAlive(holder))) {
      fail(
        'outputDir',
        `${this.path} is being trained into by process ${holder?.pid ?? process.pid}` +
          `${holder && holder.host !== hostname() ? ` on ${holder.host}` : ''}. Wait for it, or name another directory.`,
      );
    }
    rmSync(this.#lock, { force: true });
    try {
      const file = openSync(this.#lock, 'wx');
      writeSync(file, own);
      closeSync(file);
    } catch (error) {
      fail(
        'outputDir',
        `${this.#lock} cannot be written: ${(error as Error).message}. Another run may have started there just now; name another directory.`,
        error,
      );
    }
    held.add(this.#lock);
  }
}

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly age: number;
}

function readHolder(lock: string): Holder | undefined {
  try {
    const { pid, host } = JSON.parse(readFileSync(lock, 'utf8')) as Holder;
    return { pid, host, age: Date.now() - statSync(lock).mtimeMs };
  } catch {
    return undefined;
  }
}

/** This process's own lock would be in `held`: one that only has its number is of a process before, as in containers. */
function isAlive({ pid, host, age }: Holder): boolean {
  if (host !== hostname()) return age < STALE_MS;
  return pid !== process.pid && isRunning(pid);
}

export interface RunCheckpoint {
  readonly directory: string;
  readonly state: TrainerState;
}

/** The whole checkpoints of a run in its output directory, earliest first; those of other runs there are left out. */
export function checkpointsOf(outputDir: string, runId: string | undefined): RunCheckpoint[] {
  return readdirSync(outputDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && CHECKPOINT.test(entry.name))
    .map(({ name }) => path.join(outputDir, name))
    .flatMap((directory) => {
      const state = stateOrNothing(directory);
      return state && state.run_id === runId ? [{ directory, state }] : [];
    })
    .sort((a, b) => a.state.global_step - b.state.global_step || a.state.epoch - b.state.epoch);
}

function stateOrNothing(directory: string): TrainerState | undefined {
  try {
    return readState(directory);
  } catch {
    return undefined;
  }
}

/** Where a run goes on, or starts although it was asked to go on. */
export interface ResumePoint {
  readonly state: TrainerState;
  /** With weights, and the optimizer's state unless the run has ended; undefined at the run's beginning. */
  readonly directory: string | undefined;
}

/**
 * The checkpoint to resume from.
 * @param from a checkpoint's directory, or true for the last one of the latest run in the output directory; undefined where
 *   no run was started there
 */
export function resumePoint(outputDir: string, from: string | true): ResumePoint | undefined {
  if (from === true) {
    const run = readState(outputDir);
    if (!run) return undefined;
    const last = checkpointsOf(outputDir, run.run_id)
      .filter(({ directory }) => isResumable(directory))
      .at(-1);
    // The model of a run that has ended lies in the directory itself; there is no optimizer beside it, and no need of one.
    return last ?? { state: run, directory: run.finished ? outputDir : undefined };
  }
  const state = readState(from);
  if (!state) {
    fail(
      'resume',
      `${from} has no ${STATE_FILE}. Name a checkpoint of a run, such as ${path.join(outputDir, 'checkpoint-2000')}.`,
    );
  }
  if (!isResumable(from)) {
    fail(
      'resume',
      `${from} has no ${OPTIMIZER_FILE}: it was saved without what is needed to resume. Name another checkpoint; ` +
        'the option saveOptimizerAndScheduler decides what is saved.',
    );
  }
  return { state, directory: from };
}

function isResumable(directory: string): boolean {
  return statSync(path.join(directory, OPTIMIZER_FILE), { throwIfNoEntry: false })?.isFile() === true;
}
