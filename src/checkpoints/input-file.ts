import fs from 'node:fs';
import { fail } from '../errors.js';
import { describeSystemError } from './system-error.js';

const damaged = 'Download it again or check the disk.';

/** A file kept open for reading at any position; every failure names it. */
export class InputFile {
  readonly path: string;
  readonly size: number;
  readonly #area: string;
  readonly #descriptor: number;
  #open = true;

  /** `area` opens error messages. */
  constructor(path: string, area = 'checkpoint') {
    this.path = path;
    this.#area = area;
    try {
      // Checked before opening: opening a named pipe would wait for its writer.
      const stats = fs.statSync(path);
      if (!stats.isFile()) fail(area, `${path} is not a file. Give the path of a file.`);
      this.size = stats.size;
      this.#descriptor = fs.openSync(path, 'r');
    } catch (error) {
      throw this.#explain('cannot be opened', error);
    }
  }

  /** Fills `into`, which may be a view of shared memory, with the bytes from `position` on. */
  read(position: number, into: NodeJS.ArrayBufferView): void {
    if (!this.#open) fail(this.#area, `${this.path} was closed. Read from it before closing it.`);
    for (let done = 0; done < into.byteLength; ) {
      let count: number;
      try {
        count = fs.readSync(this.#descriptor, into, done, into.byteLength - done, position + done);
      } catch (error) {
        throw this.#explain(`cannot be read at byte ${position + done}`, error);
      }
      if (count === 0)
        this.refuse(`ends at byte ${position + done}, bytes up to ${position + into.byteLength} are needed`);
      done += count;
    }
  }

  bytes(position: number, count: number): Buffer {
    const into = Buffer.alloc(count);
    this.read(position, into);
    return into;
  }

  /** Fails with `<path> <problem>. <remedy>`; unless told otherwise the file is taken to be damaged. */
  refuse(problem: string, remedy = damaged, cause?: unknown): never {
    return fail(this.#area, `${this.path} ${problem}. ${remedy}`, cause);
  }

  close(): void {
    if (this.#open) fs.closeSync(this.#descriptor);
    this.#open = false;
  }

  #explain(what: string, error: unknown): unknown {
    if (!(error instanceof Error && 'errno' in error)) return error;
    try {
      return this.refuse(`${what}: ${describeSystemError(error)}`, 'Check the path and the disk.', error);
    } catch (explained) {
      return explained;
    }
  }
}
