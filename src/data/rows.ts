import { extname } from 'node:path';
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

/** The rows of a table with columns input_text and target_text: TSV or CSV with a header, or one JSON object a line. */
export function readTable(path: string, { encoding }: ReadOptions = {}): AsyncIterable<Row> {
  const reader = READERS[extname(path).toLowerCase()];
  if (!reader)
    fail(
      'data',
      `cannot tell what kind of table ${path} is. Its name must end with ${Object.keys(READERS).join(', ')}.`,
    );
  return reader(readText(path, encoding), path);
}

/** Rows from a table's path, or from objects, which are checked. */
export async function rowsFrom(data: string | readonly RowInput[], options?: ReadOptions): Promise<Row[]> {
  if (Array.isArray(data)) return data.map((row: unknown, i) => toRow(row, `row ${i}`));
  if (typeof data !== 'string') fail('data', `rows are the path of a table or a list of objects, not ${kindOf(data)}.`);
  const rows: Row[] = [];
  for await (const row of readTable(data, options)) rows.push(row);
  return rows;
}

async function* delimitedRows(text: AsyncIterable<string>, delimiter: string, path: string): AsyncGenerator<Row> {
  let header: string[] | undefined;
  let columns: Record<keyof Row, number> | undefined;
  for await (const { line, cells } of parseDelimited(text, delimiter, path)) {
    if (!header || !columns) {
      header = cells;
      columns = { inputText: columnOf('inputText', cells, path), targetText: columnOf('targetText', cells, path) };
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

function columnOf(field: keyof Row, header: readonly string[], path: string): number {
  for (const name of COLUMNS[field]) {
    const index = header.indexOf(name);
    if (index >= 0) return index;
  }
  const found = header.map((name) => JSON.stringify(name.slice(0, 60)));
  const shown = found.length > 10 ? [...found.slice(0, 10), '…'] : found;
  return fail(
    'data',
    `${path} has no column ${COLUMNS[field][0]}; its first line names ${shown.join(', ')}. It needs ${NEEDED}.`,
  );
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
    yield toRow(value, `${path}, line ${number}`);
  }
  if (empty) fail('data', `${path} is empty. It needs a line for every row, with ${NEEDED}.`);
}

function toRow(value: unknown, where: string): Row {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    fail('data', `${where} is ${kindOf(value)}. A row is an object with ${NEEDED}.`);
  }
  const field = (name: keyof Row): string => {
    const [python, ours] = COLUMNS[name];
    const object = value as Record<string, unknown>;
    const text = object[python] ?? object[ours];
    if (typeof text === 'string') return text;
    return fail(
      'data',
      `${where}: ${python} is ${text === undefined ? 'missing' : kindOf(text)}. It must be a string.`,
    );
  };
  return { inputText: field('inputText'), targetText: field('targetText') };
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? 'a list' : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}
