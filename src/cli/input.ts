import { accessSync, constants, statSync } from 'node:fs';
import { readLines } from '../data/index.js';
import { fail } from '../errors.js';
import { systemReason } from './failure.js';

export function requireReadable(path: string, area: string): void {
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    fail(area, `cannot read ${path}: ${systemReason(error)}. Check the path.`, error);
  }
  if (statSync(path).isDirectory()) fail(area, `${path} is a directory. Name a file.`);
}

/** The lines of a file, or of stdin, in chunks of at most `size`, so that an endless input needs bounded memory. */
export async function* lineChunks(
  path: string | undefined,
  size: number,
  encoding: string | undefined,
): AsyncGenerator<string[]> {
  let chunk: string[] = [];
  for await (const line of readLines(path ?? process.stdin, { encoding })) {
    chunk.push(line);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
