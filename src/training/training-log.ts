import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { fail } from '../errors.js';

/** One line of `training_log.jsonl`. */
export interface TrainingLogEntry {
  step: number;
  /** Epochs done, with the fraction of the one under way. */
  epoch: number;
  /** Mean over the steps since the last entry. */
  loss: number;
  /** The learning rate of this step. */
  lr: number;
  /** Before clipping. */
  grad_norm: number;
  tokens_per_second: number;
  /** Share of the attention's rectangles that no token fills, over the steps since the last entry. */
  padding: number;
}

/** The line of an evaluation: its results, `eval_loss` among them. */
export interface EvaluationLogEntry extends Readonly<Record<string, number>> {
  readonly step: number;
  readonly epoch: number;
  readonly eval_loss: number;
}

/** `training_log.jsonl`: a line for each logged step and each evaluation, in the file as soon as it is written. */
export class TrainingLog {
  readonly #path: string;
  readonly #file: number;

  /** @param resumedAt the step that a resumed run goes on from: what an ended one wrote beyond it is dropped */
  constructor(place: string, resumedAt = 0) {
    this.#path = place;
    this.#file = this.#guarded(() => {
      const kept = resumedAt > 0 && existsSync(place) ? linesUpTo(readFileSync(place, 'utf8'), resumedAt) : '';
      const file = openSync(place, 'w');
      writeFileSync(file, kept);
      return file;
    });
  }

  write(entry: TrainingLogEntry | EvaluationLogEntry): void {
    this.#guarded(() => writeFileSync(this.#file, `${JSON.stringify(entry)}\n`));
  }

  close(): void {
    closeSync(this.#file);
  }

  #guarded<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      return fail(
        'training',
        `${this.#path} cannot be written: ${(error as Error).message}. Make room or give access there.`,
        error,
      );
    }
  }
}

/** A killed process may have left half a line at the end. */
function linesUpTo(text: string, step: number): string {
  const lines = text.split('\n').filter((line) => {
    try {
      return (JSON.parse(line) as { step: number }).step <= step;
    } catch {
      return false;
    }
  });
  return lines.map((line) => `${line}\n`).join('');
}
