import { existsSync, readdirSync, statSync } from 'node:fs';
import { fail } from './errors.js';

/**
 * Refuses a directory that has files, for what is written there would be taken for one with them.
 * @param ignored names that may be there
 */
export function requireEmpty(
  directory: string,
  area: string,
  allowance = 'allow it with overwrite',
  ignored: readonly string[] = [],
): void {
  if (!existsSync(directory)) return;
  if (!statSync(directory).isDirectory()) fail(area, `${directory} is a file. Name a directory.`);
  if (readdirSync(directory).some((name) => !ignored.includes(name))) {
    fail(area, `${directory} exists and is not empty. Name another directory, or ${allowance}.`);
  }
}
