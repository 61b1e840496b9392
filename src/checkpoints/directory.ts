import { readdirSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../errors.js';
import { describeSystemError } from './system-error.js';

/** Makes sure that a directory is there to be written to. */
export async function makeDirectory(directory: string, area: string): Promise<void> {
  try {
    await makeDirectories(directory);
  } catch (error) {
    fail(area, `${directory} cannot be written to: ${describeSystemError(error)}. Name another directory.`, error);
  }
}

/** Makes a directory and what is missing above it. */
export async function makeDirectories(directory: string): Promise<void> {
  // Asked first, since a recursive mkdir on a read-only disk says that the parent does not exist.
  await fs.access(await nearestDirectory(path.resolve(directory)), fs.constants.W_OK);
  await fs.mkdir(directory, { recursive: true });
}

/** The place itself, or the first above it that exists. */
export async function nearestDirectory(place: string): Promise<string> {
  const parent = path.dirname(place);
  const exists = await fs.stat(place).then(
    () => true,
    () => parent === place,
  );
  return exists ? place : nearestDirectory(parent);
}

/** The names of a directory's files, sorted; not of its folders. */
export function listFiles(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    // The cache of Python's hub client is made of links.
    return entries
      .filter((entry) => entry.isFile() || entry.isSymbolicLink())
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    return fail(
      'checkpoint',
      `the directory ${directory} cannot be read: ${describeSystemError(error)}. Check the path.`,
      error,
    );
  }
}
