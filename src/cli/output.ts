import { closeSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { fail } from '../errors.js';
import { systemReason } from './failure.js';

/** Where results go. A file shows only what is kept. */
export interface Output {
  write(text: string): Promise<void>;
  keep(): void;
  /** Forgets what was not kept. */
  discard(): void;
}

/** A file that appears whole or not at all; stdout without a path. */
export function openOutput(path: string | undefined): Output {
  return path === undefined ? stdoutOutput : fileOutput(path);
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
  write: (text) =>
    new Promise((resolve, reject) => {
      process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
    }),
  keep: () => {},
  discard: () => {},
};

function fileOutput(path: string): Output {
  const guarded = <T>(action: () => T): T => {
    try {
      return action();
    } catch (error) {
      fail(
        'predict',
        `cannot write ${path}: ${systemReason(error)}. Check the path, its rights and the disk's space.`,
        error,
      );
    }
  };
  const existing = statSync(path, { throwIfNoEntry: false });
  // Devices and pipes (/dev/null, /dev/stdout) are written to: a rename would replace them.
  const special = existing !== undefined && !existing.isFile();
  const target = existing ? realpathSync(path) : path;
  const written = special ? target : `${target}.${process.pid}.partial`;
  const file = guarded(() => openSync(written, 'w'));
  let open = true;
  const close = () => {
    if (open) closeSync(file);
    open = false;
  };
  return {
    write: async (text) => guarded(() => writeFileSync(file, text)),
    keep: () =>
      guarded(() => {
        if (!special) fsyncSync(file);
        close();
        if (!special) renameSync(written, target);
      }),
    discard() {
      close();
      if (!special) rmSync(written, { force: true });
    },
  };
}
