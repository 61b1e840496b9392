import { fail } from '../errors.js';
import { kindOf } from './rows.js';

// What the readers of tables by columns, Arrow and Parquet, have in common.

/** A text of a column; a missing one is empty. `row` counts from 0. */
export function textCell(value: unknown, file: string, column: string, row: number): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  return fail('data', `${file}: ${column} of row ${row + 1} is ${kindOf(value)}. It must be a text.`);
}

/** A broken file fails deep in a package, in words that name neither the file nor what to do. */
export async function unbroken<T>(
  file: string,
  format: string,
  rowsBefore: number,
  work: () => Promise<T> | T,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    return fail(
      'data',
      `${file} cannot be read as ${format} behind row ${rowsBefore}: ${(error as Error).message}. Write it again, or download it again.`,
      error,
    );
  }
}
