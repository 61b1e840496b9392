import { type FileHandle, open } from 'node:fs/promises';
import { fail } from '../errors.js';
import { textCell, unbroken } from './columnar.js';
import { decodeLz4Frame } from './lz4-frame.js';
import { columnNames, type Row } from './rows.js';

// Apache Arrow's tables: those that a program has in memory, of whatever copy of the package, and files of both kinds, the file
// format and the stream that Python's `datasets` writes.

/** Types by the names that the package gives them. */
const TEXTS = /^((Large)?Utf8(View)?|Dictionary<\w+, (Large)?Utf8(View)?>|Null)$/;
const END_OF_STREAM = Buffer.from([255, 255, 255, 255, 0, 0, 0, 0]);

interface Column {
  get(index: number): unknown;
}

/** What tables and record batches of the package `apache-arrow` have. */
export interface ArrowTableLike {
  readonly schema: { readonly fields: readonly { readonly name: string; readonly type: unknown }[] };
  readonly numRows: number;
  getChild(name: string): Column | null;
}

export function isArrowTable(data: unknown): data is ArrowTableLike {
  const table = data as Partial<ArrowTableLike> | null;
  return typeof table === 'object' && typeof table?.getChild === 'function' && Array.isArray(table.schema?.fields);
}

/** The rows of a table or a batch; `first` is the number of rows before it. A missing text is an empty one. */
export async function* tableRows(table: ArrowTableLike, name: string, first = 0): AsyncGenerator<Row> {
  const found = columnNames(
    table.schema.fields.map((field) => field.name),
    name,
    'its columns are',
  );
  for (const { name: label, type } of table.schema.fields) {
    if (label !== found.inputText && label !== found.targetText) continue;
    if (!TEXTS.test(String(type))) fail('data', `${name}: the column ${label} is of type ${type}. It must hold texts.`);
  }
  const [inputs, targets] = [table.getChild(found.inputText)!, table.getChild(found.targetText)!];
  const text = (column: Column, label: string, i: number) => textCell(column.get(i), name, label, first + i);
  for (let i = 0; i < table.numRows; i++) {
    yield { inputText: text(inputs, found.inputText, i), targetText: text(targets, found.targetText, i) };
  }
}

/** The package, with what it lacks: how record batches are decompressed. Loaded late, since few need it. */
async function readers() {
  const [arrow, { decompressZstd }] = await Promise.all([import('apache-arrow'), import('hyparquet-compressors')]);
  const { CompressionType, compressionRegistry } = arrow;
  if (!compressionRegistry.get(CompressionType.ZSTD)) {
    compressionRegistry.set(CompressionType.ZSTD, { decode: (bytes) => decompressZstd(bytes) });
    compressionRegistry.set(CompressionType.LZ4_FRAME, { decode: decodeLz4Frame });
  }
  return arrow;
}

/** The rows of a file, record batch by record batch. */
export async function* arrowFileRows(path: string): AsyncGenerator<Row> {
  const { RecordBatchReader } = await readers();
  const file = await open(path).catch((error: Error) =>
    fail('data', `cannot read ${path}: ${error.message}. Check the path.`, error),
  );
  if ((await file.stat()).size === 0) {
    await file.close();
    fail('data', `${path} is empty. It needs rows.`);
  }
  // Asked first, since the reader closes the file behind the last batch.
  const isWhole = await isEnded(file);
  let rows = 0;
  try {
    const batches = await unbroken(path, 'an Arrow file', rows, async () =>
      (await RecordBatchReader.from(file)).open(),
    );
    const iterator = (batches as AsyncIterable<ArrowTableLike>)[Symbol.asyncIterator]();
    for (;;) {
      const next = await unbroken(path, 'an Arrow file', rows, () => iterator.next());
      if (next.done) break;
      yield* tableRows(next.value, path, rows);
      rows += next.value.numRows;
    }
    if (!isWhole) {
      fail(
        'data',
        `${path} ends behind row ${rows} without the mark that closes a stream: it was cut. Write it again, or download it again.`,
      );
    }
  } finally {
    await file.close();
  }
  if (rows === 0) fail('data', `${path} is empty. It needs rows.`);
}

/** The file format ends with its magic, a stream with a message of no length; one cut between messages has neither. */
async function isEnded(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  const { buffer } = await file.read(Buffer.alloc(8), 0, 8, Math.max(0, size - 8));
  return buffer.toString('latin1').endsWith('ARROW1') || buffer.equals(END_OF_STREAM);
}
