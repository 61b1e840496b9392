import { fail } from '../errors.js';
import { textCell, unbroken } from './columnar.js';
import { columnNames, type Row } from './rows.js';

/** Bytes that are no UTF-8 are an error, never a replacement character. */
const utf8 = new TextDecoder('utf-8', { fatal: true });
const PARSERS = { stringFromBytes: (bytes: Uint8Array) => bytes && utf8.decode(bytes) };

/** The rows of a Parquet file, row group by row group. A missing text is an empty one. */
export async function* parquetRows(path: string): AsyncGenerator<Row> {
  const [{ asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema }, { compressors }] =
    await Promise.all([import('hyparquet'), import('hyparquet-compressors')]);
  const file = await asyncBufferFromFile(path).catch((error: Error) =>
    fail('data', `cannot read ${path}: ${error.message}. Check the path.`, error),
  );
  if (file.byteLength === 0) fail('data', `${path} is empty. It needs rows.`);
  let first = 0;
  const metadata = await unbroken(path, 'Parquet', first, () => parquetMetadataAsync(file));
  const columns = parquetSchema(metadata).children.map(({ element }) => element);
  const { inputText, targetText } = columnNames(
    columns.map(({ name }) => name),
    path,
    'its columns are',
  );
  for (const name of [inputText, targetText]) {
    const { type, converted_type, logical_type } = columns.find((column) => column.name === name)!;
    const kind = logical_type?.type ?? converted_type ?? type ?? 'group';
    if (type !== 'BYTE_ARRAY' || (kind !== 'STRING' && converted_type !== 'UTF8')) {
      fail('data', `${path}: the column ${name} is of type ${kind}. It must hold texts (STRING).`);
    }
  }
  for (const group of metadata.row_groups) {
    const rowEnd = first + Number(group.num_rows);
    const rows = await unbroken(path, 'Parquet', first, () =>
      parquetReadObjects({
        file,
        metadata,
        compressors,
        columns: [inputText, targetText],
        rowStart: first,
        rowEnd,
        parsers: PARSERS,
      }),
    );
    for (const [i, row] of rows.entries()) {
      const text = (name: string) => textCell(row[name], path, name, first + i);
      yield { inputText: text(inputText), targetText: text(targetText) };
    }
    first = rowEnd;
  }
  if (first === 0) fail('data', `${path} is empty. It needs rows.`);
}
