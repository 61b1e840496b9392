import { rmSync } from 'node:fs';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';

export interface TemporaryDirectory {
  readonly directory: string;
  remove(): Promise<void>;
}

/** A directory of this process alone, gone with it if not before. */
export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'seq2seq-knowledge-'));
  const removeNow = () => rmSync(directory, { recursive: true, force: true });
  process.once('exit', removeNow);
  return {
    directory,
    async remove() {
      process.off('exit', removeNow);
      await fs.rm(directory, { recursive: true, force: true });
    },
  };
}
