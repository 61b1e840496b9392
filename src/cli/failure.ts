import { Seq2SeqError } from '../errors.js';

/** Exit codes: all was done · something failed · the command line was wrong · the reader of our output went away. */
export const exitCodes = { done: 0, failed: 1, usage: 2, brokenPipe: 141 } as const;

/** The command line, or a file of options it names, asks for something that cannot be meant. */
export class UsageError extends Seq2SeqError {}

export function usage(area: string, message: string): never {
  throw new UsageError(area, message);
}

/** Runs a check of what the user wrote; its complaint becomes bad usage. */
export function asUsage<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof Seq2SeqError)) throw error;
    throw new UsageError(error.area, error.message.slice(error.area.length + 2), { cause: error });
  }
}

/** The user or the system asked us to stop; the exit code is the shell's convention for the signal. */
export class Interrupted extends Error {
  constructor(
    readonly signal: NodeJS.Signals,
    readonly exitCode: number,
  ) {
    super(`stopped by ${signal}.`);
  }
}

/** Aborts on the first signal; the second one meets the system's default and ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort(new Interrupted('SIGINT', 130)));
  process.once('SIGTERM', () => controller.abort(new Interrupted('SIGTERM', 143)));
  return controller.signal;
}

/** The work's result, or a rejection as soon as the signal says stop; the work itself is left to the end of the process. */
export async function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** What the terminal shows of an error: its message alone; with `DEBUG=seq2seq` also where it came from. */
export function describeFailure(error: unknown): string {
  if (process.env.DEBUG === 'seq2seq' && error instanceof Error) return error.stack ?? error.message;
  if (error instanceof Seq2SeqError) return error.message;
  return `seq2seq: ${error instanceof Error ? error.message : String(error)}`;
}

/** The operating system's reason without its code and the call it came from: "no such file or directory". */
export function systemReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return /^[A-Z0-9]+: ([^,]+)/.exec(message)?.[1] ?? message;
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return error.exitCode;
  // Options can also be found not to fit together once those saved with the model are known.
  const wrongOptions = error instanceof Seq2SeqError && error.area === 'args';
  return error instanceof UsageError || wrongOptions ? exitCodes.usage : exitCodes.failed;
}
