import {
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { isRunning } from '../aside.js';
import { fail } from '../errors.js';
import { systemReason, usage } from './failure.js';

/** Where results go. A file shows only what is kept. */
export interface Output {
  /**
   * Goes on behind what an earlier run wrote: the number of texts that it answered with `linesPerText` whole lines each.
   * Whatever is behind those is cut off.
   */
  resume(linesPerText: number): number;
  write(text: string): Promise<void>;
  keep(): void;
  /** Stops without keeping; the path of what was written so far, which a later run can resume, if anything was. */
  discard(): string | undefined;
}

/** A file that appears whole or not at all; stdout without a path. `resume`: it goes on where an earlier run stopped. */
export function openOutput(place: string | undefined, { resume = false } = {}): Output {
  if (place !== undefined) return fileOutput(place, resume);
  if (resume) usage('--resume', 'needs a file that it can go on with. Name it with --output.');
  return stdoutOutput;
}

/** A result on stdout: one JSON object, or lines of `name = value`, with dots into objects. */
export async function printResult(result: Record<string, unknown>, json = false): Promise<void> {
  await stdoutOutput.write(json ? `${JSON.stringify(result)}\n` : lines(result, '').join(''));
}

function lines(result: object, prefix: string): string[] {
  return Object.entries(result).flatMap(([name, value]: [string, unknown]) => {
    const nested = typeof value === 'object' && value !== null && !Array.isArray(value);
    return nested ? lines(value, `${prefix}${name}.`) : [`${prefix}${name} = ${value}\n`];
  });
}

const stdoutOutput: Output = {
  resume: () => 0,
  write: (text) =>
    new Promise((resolve, reject) => {
      process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
    }),
  keep: () => {},
  discard: () => undefined,
};

function guarded<T>(place: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    return fail(
      'predict',
      `cannot write ${place}: ${systemReason(error)}. Check the path, its rights and the disk's space.`,
      error,
    );
  }
}

function fileOutput(place: string, isResuming: boolean): Output {
  const existing = statSync(place, { throwIfNoEntry: false });
  // Devices and pipes (/dev/null, /dev/stdout) are written to: a rename would replace them.
  const special = existing !== undefined && !existing.isFile();
  if (special && isResuming) usage('--resume', `${place} is no file that it can go on with. Name one with --output.`);
  const target = existing ? realpathSync(place) : path.resolve(place);
  const written = special ? target : `${target}.${process.pid}.partial`;
  if (!special) claim(place, target, written, isResuming);
  const file = guarded(place, () => openSync(written, special ? 'w' : 'a+'));
  let isOpen = true;
  const close = () => {
    if (isOpen) closeSync(file);
    isOpen = false;
  };
  return {
    resume: (linesPerText) => guarded(place, () => cutToWhole(file, linesPerText)),
    write: async (text) => guarded(place, () => writeFileSync(file, text)),
    keep: () =>
      guarded(place, () => {
        if (!special) fsyncSync(file);
        close();
        if (!special) renameSync(written, target);
      }),
    discard() {
      const size = isOpen && !special ? fstatSync(file).size : 0;
      close();
      if (size > 0) return written;
      if (!special) rmSync(written, { force: true });
      return undefined;
    },
  };
}

/**
 * Makes what an earlier run left of the file this run's own, or, where that run came to its end, a copy of the file itself.
 * Without `--resume` such remains are refused, so that nobody's answers are lost.
 */
function claim(place: string, target: string, written: string, isResuming: boolean): void {
  const folder = path.dirname(target);
  const entries = existsSync(folder) ? readdirSync(folder) : [];
  const remains = entries.flatMap((name) => {
    const [, base, id] = /^(.+)\.(\d+)\.partial$/.exec(name) ?? [];
    return base === path.basename(target) ? [{ name: path.join(folder, name), id: Number(id) }] : [];
  });
  const writer = remains.find(({ id }) => id !== process.pid && isRunning(id));
  if (writer) {
    fail('predict', `${place} is being written by process ${writer.id}. Wait for it, or name another --output.`);
  }
  const [left] = remains;
  if (left && !isResuming) {
    fail(
      'predict',
      `${left.name} has the answers of a run that was stopped. Go on behind them with --resume, or remove it.`,
    );
  }
  if (left) guarded(place, () => renameSync(left.name, written));
  else if (isResuming && existsSync(target)) guarded(place, () => copyFileSync(target, written));
}

/** Cuts a file behind its last whole group of lines, and returns the number of groups. */
function cutToWhole(file: number, linesPerGroup: number): number {
  const buffer = Buffer.alloc(1 << 20);
  let [lines, whole] = [0, 0];
  for (let position = 0; ; ) {
    const read = readSync(file, buffer, 0, buffer.length, position);
    if (read === 0) break;
    for (let at = buffer.indexOf(10); at >= 0 && at < read; at = buffer.indexOf(10, at + 1)) {
      if (++lines % linesPerGroup === 0) whole = position + at + 1;
    }
    position += read;
  }
  ftruncateSync(file, whole);
  return Math.floor(lines / linesPerGroup);
}
