import { accessSync, constants, statSync } from 'node:fs';
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
