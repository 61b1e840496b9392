import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { tableFromIPC, tableToIPC } from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { allRows, type Row, rowSource } from './index.js';

// Files of pyarrow and datasets; see scripts/reference/tables.py.

const fixtures = path.join(import.meta.dirname, '../../tests/fixtures/tables');
const expected: Row[] = JSON.parse(readFileSync(path.join(fixtures, 'rows.json'), 'utf8'));
const scratch = mkdtempSync(path.join(tmpdir(), 'columnar-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const read = (file: string) => allRows(rowSource(file));
const fixture = (name: string) => path.join(fixtures, name);

test.each([
  ...['none', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4', 'plain-encoding', 'our-names'].map(
    (name) => `${name}.parquet`,
  ),
  ...['file', 'large', 'dictionary'].flatMap((name) => [`${name}.arrow`, `${name}-stream.arrow`]),
  ...['uncompressed', 'lz4', 'zstd'].map((name) => `${name}.feather`),
  'dataset/data-00000-of-00001.arrow',
])('%s has the rows, with nothing for what is missing', async (name) => {
  expect(await read(fixture(name))).toEqual(expected);
});

test.each<readonly [name: string, message: RegExp]>([
  ['numbers.parquet', /numbers\.parquet: the column input_text is of type INT64\. It must hold texts/],
  ['numbers.arrow', /numbers\.arrow: the column input_text is of type Int64\. It must hold texts/],
  ...['binary', 'no-binary'].map((name) => [`${name}.parquet`, /column input_text is of type BYTE_ARRAY\./] as const),
  ...['binary', 'no-binary'].map((name) => [`${name}.arrow`, /column input_text is of type Binary\./] as const),
  ...['list', 'no-list'].map((name) => [`${name}.parquet`, /column input_text is of type LIST\./] as const),
  ...['list', 'no-list'].map((name) => [`${name}.arrow`, /column input_text is of type List<Utf8>\./] as const),
  ['no-number.parquet', /column input_text is of type INT64\./],
  ['no-number.arrow', /column input_text is of type Int64\./],
  ['not-utf8.parquet', /not-utf8\.parquet cannot be read as Parquet behind row 0: .*utf-8/],
  ['other-columns.parquet', /other-columns\.parquet has no column input_text; its columns are "text", "label"/],
])('%s is refused', async (name, message) => {
  await expect(read(fixture(name))).rejects.toThrow(message);
});

test.each(['snappy.parquet', 'file.arrow', 'file-stream.arrow'])(
  '%s cut anywhere is an error or a part, never more',
  async (name) => {
    const whole = readFileSync(fixture(name));
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), async (length) => {
        const place = path.join(scratch, `cut-${name}`);
        writeFileSync(place, whole.subarray(0, length));
        const rows = await read(place).catch((error: Error) => {
          expect(error.message).toMatch(/^data: .*cut-/);
          return [];
        });
        expect(rows).toEqual(expected.slice(0, rows.length));
      }),
      { seed: 1, numRuns: 40 },
    );
  },
);

test('a stream that lost its end, though no message is cut, is refused', async () => {
  const whole = readFileSync(fixture('file-stream.arrow'));
  const place = path.join(scratch, 'endless.arrow');
  writeFileSync(place, whole.subarray(0, whole.length - 8));
  await expect(read(place)).rejects.toThrow(/endless\.arrow ends behind row 10 without the mark/);
});

test.each(['empty.parquet', 'empty.arrow', 'empty.feather'])('%s of no bytes is refused', async (name) => {
  const place = path.join(scratch, name);
  writeFileSync(place, '');
  await expect(read(place)).rejects.toThrow(`${name} is empty. It needs rows.`);
});

test('blocks of LZ4 that reach back into one another', async () => {
  const rows = await read(fixture('many-lz4.feather'));
  expect(rows).toHaveLength(3000);
  for (const [i, { inputText }] of rows.entries()) expect(inputText).toBe(`row ${i} ${'again '.repeat(i % 50)}`);
});

test('a table in memory', async () => {
  const table = tableFromIPC(readFileSync(fixture('dictionary.arrow')));
  const source = rowSource(table);
  expect(source.length).toBe(expected.length);
  expect(await allRows(source)).toEqual(expected);
  expect(await source.fingerprint()).toBe(await rowSource(expected).fingerprint());
  writeFileSync(path.join(scratch, 'written.arrow'), tableToIPC(table, 'file'));
  expect(await read(path.join(scratch, 'written.arrow'))).toEqual(expected);
});

describe('compressed text', () => {
  const text = `input_text\ttarget_text\n${'one\ttwo\n'.repeat(5000)}`;
  const lines = Array.from({ length: 5000 }, () => ({ inputText: 'one', targetText: 'two' }));
  const write = (name: string, bytes: Uint8Array) => {
    writeFileSync(path.join(scratch, name), bytes);
    return path.join(scratch, name);
  };

  test('reads as if it was not, of several members too', async () => {
    expect(await read(write('a.tsv.gz', gzipSync(text)))).toEqual(lines);
    const two = Buffer.concat([gzipSync(text.slice(0, 1000)), gzipSync(text.slice(1000))]);
    expect(await read(write('b.TSV.GZ', two))).toEqual(lines);
    const json = lines.map((row) => `${JSON.stringify(row)}\n`).join('');
    expect(await read(write('c.jsonl.gz', gzipSync(json)))).toEqual(lines);
  });

  test('that is cut, or none, is refused', async () => {
    const packed = gzipSync(text);
    await expect(read(write('cut.tsv.gz', packed.subarray(0, packed.length - 20)))).rejects.toThrow(
      /cut\.tsv\.gz is not gzip from its beginning to its end: unexpected end of file/,
    );
    await expect(read(write('none.tsv.gz', Buffer.from(text)))).rejects.toThrow(/none\.tsv\.gz is not gzip from/);
    await expect(read(write('more.tsv.gz', Buffer.concat([packed, Buffer.from('more')])))).rejects.toThrow(
      /more\.tsv\.gz is not gzip from its beginning to its end: incorrect header check/,
    );
    await expect(read(path.join(scratch, 'nowhere.tsv.gz'))).rejects.toThrow(/cannot read .*nowhere/);
  });
});

describe('rows from a program', () => {
  const rows = [{ input_text: 'a', target_text: 'b' }];

  test('come from iterables of both kinds, once', async () => {
    const source = rowSource(new Set(rows));
    expect(await allRows(source)).toEqual([{ inputText: 'a', targetText: 'b' }]);
    await expect(allRows(source)).rejects.toThrow('from an iterable that was read before');
    async function* later() {
      yield* rows;
      yield { input_text: 1 } as unknown as (typeof rows)[0];
    }
    await expect(allRows(rowSource(later()))).rejects.toThrow(
      'data: row 1: input_text is a number. It must be a string.',
    );
    expect(await rowSource(later()).fingerprint()).toBeUndefined();
  });

  test('have a fingerprint of their texts', async () => {
    const other = [{ inputText: 'a', targetText: 'b' }];
    expect(await rowSource(rows).fingerprint()).toBe(await rowSource(other).fingerprint());
    const moved = [{ inputText: 'ab', targetText: '' }];
    expect(await rowSource(rows).fingerprint()).not.toBe(await rowSource(moved).fingerprint());
  });

  test('are refused where they are none', () => {
    for (const data of [7, null, {}, undefined]) {
      expect(() => rowSource(data as unknown as string)).toThrow(
        'data: rows are the path of a table or a list of objects',
      );
    }
  });
});
