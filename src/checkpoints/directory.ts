import { mkdir } from 'node:fs/promises';
import { fail } from '../errors.js';
import { describeSystemError } from './system-error.js';

/** Makes sure that a directory is there to be written to. */
export async function makeDirectory(directory: string, area: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    fail(area, `${directory} cannot be made: ${describeSystemError(error)}. Name another directory.`, error);
  }
}
