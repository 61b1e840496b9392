import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { fail } from '../errors.js';
import { type ArrowTableLike, arrowFileRows, isArrowTable, tableRows } from './arrow.js';
import { parquetRows } from './parquet.js';
import { kindOf, type ReadOptions, type Row, type RowInput, TEXT_ENDINGS, textRows, toRow } from './rows.js';

/** What rows may come from: a file, objects, or a table of Apache Arrow. */
export type RowData = string | readonly RowInput[] | Iterable<RowInput> | AsyncIterable<RowInput> | ArrowTableLike;

/** Rows, read one by one however many there are. */
export interface RowSource {
  /** For messages: a path, or "the rows". */
  readonly name: string;
  /** Undefined where that is not known before they are read. */
  readonly length: number | undefined;
  /** Whether the rows can be read more than once. */
  readonly isLasting: boolean;
  read(): AsyncIterable<Row>;
  /** SHA-256 of the content; undefined for rows that can be read once only. */
  fingerprint(): Promise<string | undefined>;
}

type FileReader = (path: string, options: ReadOptions) => AsyncIterable<Row>;

/** By the ending of a file's name. */
const READERS: readonly [endings: readonly string[], reader: FileReader][] = [
  [TEXT_ENDINGS, textRows],
  [['.parquet'], parquetRows],
  [['.arrow', '.arrows', '.feather', '.ipc'], arrowFileRows],
];

export function rowSource(data: RowData, options: ReadOptions = {}): RowSource {
  if (typeof data === 'string') return fileSource(data, options);
  if (Array.isArray(data)) return listSource(data);
  if (isArrowTable(data)) {
    const read = () => tableRows(data, 'the table');
    return { name: 'the table', length: data.numRows, isLasting: true, read, fingerprint: () => fingerprintOf(read()) };
  }
  if (typeof data === 'object' && data !== null && (Symbol.asyncIterator in data || Symbol.iterator in data)) {
    return streamSource(data as AsyncIterable<RowInput> | Iterable<RowInput>);
  }
  return fail('data', `rows are the path of a table or a list of objects, not ${kindOf(data)}.`);
}

function fileSource(path: string, options: ReadOptions): RowSource {
  const lower = path.toLowerCase();
  const [ending, reader] = READERS.flatMap(([endings, each]) => endings.map((end) => [end, each] as const)).find(
    ([end]) => lower.endsWith(end),
  ) ?? ['', undefined];
  if (!reader) {
    const endings = READERS.flatMap(([each]) => each).filter((ending) => !ending.endsWith('.gz'));
    fail(
      'data',
      `cannot tell what kind of table ${path} is. Its name must end with ${endings.join(', ')}; those of text may be compressed, .gz.`,
    );
  }
  return {
    name: path,
    length: undefined,
    isLasting: true,
    read: () => reader(path, options),
    fingerprint: async () => {
      // Named pipes and the like give their bytes once.
      if (!(await stat(path).catch(() => undefined))?.isFile()) return undefined;
      const hash = createHash('sha256').update(`${ending}\n${options.encoding ?? ''}\n`);
      for await (const bytes of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(bytes as Uint8Array);
      return hash.digest('hex');
    },
  };
}

function listSource(rows: readonly RowInput[]): RowSource {
  async function* read(): AsyncGenerator<Row> {
    for (const [i, row] of rows.entries()) yield toRow(row, `row ${i}`);
  }
  return { name: 'the rows', length: rows.length, isLasting: true, read, fingerprint: () => fingerprintOf(read()) };
}

function streamSource(rows: AsyncIterable<RowInput> | Iterable<RowInput>): RowSource {
  let isRead = false;
  async function* read(): AsyncGenerator<Row> {
    if (isRead) fail('data', 'the rows come from an iterable that was read before. Give a list, or a file.');
    isRead = true;
    let i = 0;
    for await (const row of rows) yield toRow(row, `row ${i++}`);
  }
  return { name: 'the rows', length: undefined, isLasting: false, read, fingerprint: async () => undefined };
}

async function fingerprintOf(rows: AsyncIterable<Row>): Promise<string> {
  const hash = createHash('sha256');
  for await (const { inputText, targetText } of rows) {
    hash.update(`${inputText.length} ${targetText.length} `).update(inputText).update(targetText);
  }
  return hash.digest('hex');
}

/** All rows in memory. */
export async function allRows(source: RowSource): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of source.read()) rows.push(row);
  return rows;
}
