import { fail } from '../errors.js';
import { readText } from './decode.js';
import { parseDelimited } from './delimited.js';
import { splitLines } from './lines.js';

/** One example: what goes in and what should come out. */
export interface Row {
  inputText: string;
  targetText: string;
}

/** A row as callers may have it: with Python's column names or ours. */
export type RowInput = Row | { input_text: string; target_text: string };

export interface ReadOptions {
  /** Of the file's text, by Python's or the web's name; default UTF-8. */
  encoding?: string | undefined;
}

/** Field → the names its column may have. */
const COLUMNS: Readonly<Record<keyof Row, readonly [python: string, ours: string]>> = {
  inputText: ['input_text', 'inputText'],
  targetText: ['target_text', 'targetText'],
};
const NEEDED = Object.values(COLUMNS)
  .map(([python]) => python)
  .join(' and ');

type Reader = (text: AsyncIterable<string>, path: string) => AsyncIterable<Row>;

const READERS: Readonly<Record<string, Reader>> = {
  '.tsv': (text, path) => delimitedRows(text, '\t', path),
  '.txt': (text, path) => delimitedRows(text, '\t', path),
  '.csv': (text, path) => delimitedRows(text, ',', path),
  '.jsonl': jsonRows,
  '.json': jsonRows,
};

/** Of files of text, plain and compressed. */
export const TEXT_ENDINGS: readonly string[] = Object.keys(READERS).flatMap((ending) => [ending, `${ending}.gz`]);

/** The rows of a table with columns input_text and target_text: TSV or CSV with a header, or one JSON object a line. */
export function textRows(path: string, { encoding }: ReadOptions = {}): AsyncIterable<Row> {
  const ending = /\.[^.]+$/.exec(path.toLowerCase().replace(/\.gz$/, ''))![0];
  return READERS[ending]!(readText(path, encoding), path);
}

async function* delimitedRows(text: AsyncIterable<string>, delimiter: string, path: string): AsyncGenerator<Row> {
  let header: string[] | undefined;
  let columns: Record<keyof Row, number> | undefined;
  for await (const { line, cells } of parseDelimited(text, delimiter, path)) {
    if (!header || !columns) {
      header = cells;
      const names = columnNames(cells, path);
      columns = { inputText: cells.indexOf(names.inputText), targetText: cells.indexOf(names.targetText) };
      continue;
    }
    if (cells.length > header.length) {
      fail(
        'data',
        `${path}, line ${line}: ${cells.length} cells under ${header.length} columns. Put a text that has the delimiter in it between quotes.`,
      );
    }
    const [input, target] = [cells[columns.inputText], cells[columns.targetText]];
    if (input === undefined || target === undefined) {
      const missing = header[input === undefined ? columns.inputText : columns.targetText];
      fail(
        'data',
        `${path}, line ${line}: the cell ${missing} is missing (${cells.length} of ${header.length} cells). Complete or remove the line.`,
      );
    }
    yield { inputText: input, targetText: target };
  }
  if (!header) fail('data', `${path} is empty. It needs a first line that names the columns ${NEEDED}.`);
}

/** The columns of the two texts, among those that a table has. */
export function columnNames(
  header: readonly string[],
  path: string,
  place = 'its first line names',
): Record<keyof Row, string> {
  const find = (field: keyof Row): string => {
    const name = COLUMNS[field].find((candidate) => header.includes(candidate));
    if (name !== undefined) return name;
    const found = header.map((each) => JSON.stringify(each.slice(0, 60)));
    const shown = found.length > 10 ? [...found.slice(0, 10), '…'] : found;
    return fail(
      'data',
      `${path} has no column ${COLUMNS[field][0]}; ${place} ${shown.join(', ')}. It needs ${NEEDED}.`,
    );
  };
  return { inputText: find('inputText'), targetText: find('targetText') };
}

async function* jsonRows(text: AsyncIterable<string>, path: string): AsyncGenerator<Row> {
  let number = 0;
  let empty = true;
  for await (const line of splitLines(text, path)) {
    number++;
    if (line.trim() === '') continue;
    empty = false;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      fail(
        'data',
        `${path}, line ${number} is not JSON: ${(error as Error).message}. Every line is one object.`,
        error,
      );
    }
    yield toRow(value, `${path}, line ${number}`, true);
  }
  if (empty) fail('data', `${path} is empty. It needs a line for every row, with ${NEEDED}.`);
}

/** A checked row. In files a text that is null is an empty one, as in the tables that have types; in a program it is an error. */
export function toRow(value: unknown, where: string, ofFile = false): Row {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    fail('data', `${where} is ${kindOf(value)}. A row is an object with ${NEEDED}.`);
  }
  const field = (name: keyof Row): string => {
    const [python, ours] = COLUMNS[name];
    const object = value as Record<string, unknown>;
    const text = object[python] === undefined ? object[ours] : object[python];
    if (typeof text === 'string') return text;
    if (text === null && ofFile) return '';
    return fail(
      'data',
      `${where}: ${python} is ${text === undefined ? 'missing' : kindOf(text)}. It must be a string.`,
    );
  };
  return { inputText: field('inputText'), targetText: field('targetText') };
}

export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? 'a list' : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}
