import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseDelimited } from './delimited.js';
import { type ReadOptions, type Row, type RowData, readLines, rowSource } from './index.js';
import { allRows } from './row-source.js';

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'rows-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(scratch, name);
  writeFileSync(path, content);
  return path;
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

/** The text in pieces of `size`. */
async function* pieces(text: string, size: number): AsyncGenerator<string> {
  for (let i = 0; i < text.length; i += size) yield text.slice(i, i + size);
}

const HEADER = 'input_text\ttarget_text\n';
const rows = (...pairs: [string, string][]): Row[] =>
  pairs.map(([inputText, targetText]) => ({ inputText, targetText }));

describe('delimited text', () => {
  const parse = async (text: string, size = 1000) =>
    (await all(parseDelimited(pieces(text, size), '\t', 'f'))).map(({ cells }) => cells);

  // What pandas.read_csv (3.0) makes of each.
  test.each<[string, string[][]]>([
    ['"x\ty"\tz\n', [['x\ty', 'z']]],
    ['5" disk\tz "q" w\n', [['5" disk', 'z "q" w']]],
    ['"abc" def\tz\n', [['abc def', 'z']]],
    ['"abc" def "x\ty"\tz\n', [['abc def "x', 'y"', 'z']]],
    ['"ab""c"\t""\n', [['ab"c', '']]],
    [
      '"m\r\nn"\tq\r\n\r\nx\ty',
      [
        ['m\r\nn', 'q'],
        ['x', 'y'],
      ],
    ],
    [' \t \n', [[' ', ' ']]],
    ['\tq\n', [['', 'q']]],
    [
      '"x"\t"y" \nq\tr\n',
      [
        ['x', 'y '],
        ['q', 'r'],
      ],
    ],
    ['"" x\t""y""\n', [[' x', 'y""']]],
    [' "x"\ty\n', [[' "x"', 'y']]],
    ['   \nx\ty\n', [['x', 'y']]],
    ['"a\\"b"\tc\n', [['a\\b"', 'c']]],
    ['"a\r"\r\nx\ty\r\n', [['a\r'], ['x', 'y']]],
    ['""\t\n', [['', '']]],
    ['', []],
    ['\n\r\n', []],
  ])('%j', async (text, records) => {
    expect(await parse(text)).toEqual(records);
    for (let size = 1; size < 4; size++) expect(await parse(text, size)).toEqual(records);
  });

  test('a lone carriage return is text', async () => expect(await parse('x\r y\tz\n')).toEqual([['x\r y', 'z']]));

  test('any records, written with quotes where they are needed or everywhere, come back', async () => {
    const cell = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('"', '\t', '\n', '\r', 'a', ' ') }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(cell, { minLength: 2, maxLength: 3 }), { maxLength: 6 }),
        fc.boolean(),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        fc.integer({ min: 1, max: 9 }),
        async (records, everywhere, newline, ends, size) => {
          const write = (text: string) =>
            everywhere || /["\t\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
          const text = records.map((record) => record.map(write).join('\t')).join(newline) + (ends ? newline : '');
          expect(await parse(text, size)).toEqual(records);
        },
      ),
      { numRuns: 300, seed: 1 },
    );
  });

  test('records know their line', async () => {
    const text = 'a\tb\r\n"m\r\nn"\tq\r\n\r\n  \nx\ty\n';
    expect((await all(parseDelimited(pieces(text, 2), '\t', 'f'))).map(({ line }) => line)).toEqual([1, 2, 6]);
  });
});

const rowsFrom = async (data: RowData, options?: ReadOptions) => allRows(rowSource(data, options));

describe('readTable', () => {
  test.each([
    ['plain.tsv', `${HEADER}a\tb\n\tc d\n`, rows(['a', 'b'], ['', 'c d'])],
    ['order.tsv', 'id\ttarget_text\tinput_text\n1\tb\ta\n', rows(['a', 'b'])],
    ['ours.csv', 'inputText,targetText,x\n"a,1",b,\n', rows(['a,1', 'b'])],
    ['tabs.txt', `${HEADER}a, b\tc`, rows(['a, b', 'c'])],
    ['bom.csv', '\ufeff"input_text",target_text\r\na,b\r\n', rows(['a', 'b'])],
    ['none.tsv', HEADER, []],
    ['UPPER.TSV', `${HEADER}NA\tnull\n`, rows(['NA', 'null'])],
    [
      'a.jsonl',
      '{"input_text":"a\\tb","target_text":""}\n\n{"targetText":"d","inputText":"c","more":1}\r\n',
      rows(['a\tb', ''], ['c', 'd']),
    ],
    ['null.jsonl', '{"input_text":null,"target_text":"a"}\n', rows(['', 'a'])],
    ['b.json', '\ufeff{"input_text":"😀","target_text":"y"}', rows(['😀', 'y'])],
  ])('%s', async (name, content, expected) => {
    const path = file(name, content);
    expect(await all(rowSource(path).read())).toEqual(expected);
    expect(await rowsFrom(path)).toEqual(expected);
  });

  test('other encodings', async () => {
    const path = file('latin.tsv', Buffer.from(`${HEADER}caf\xe9\tx\n`, 'latin1'));
    expect(await rowsFrom(path, { encoding: 'latin-1' })).toEqual(rows(['café', 'x']));
    await expect(rowsFrom(path)).rejects.toThrow(/latin\.tsv is not valid UTF-8 at byte 26, line 2 \(0xe9\)/);
  });

  test('cells and lines of a megabyte', async () => {
    const long = 'x "y" '.repeat(200_000);
    expect(await rowsFrom(file('long.tsv', `${HEADER}${long}\tb\n"${long.replaceAll('"', '""')}"\tb\n`))).toEqual(
      rows([long, 'b'], [long, 'b']),
    );
    const json = { input_text: long, target_text: 'b' };
    expect(await rowsFrom(file('long.jsonl', `${JSON.stringify(json)}\n`))).toEqual(rows([long, 'b']));
  });

  test('a table is not read faster than it is used', async () => {
    const path = file('many.tsv', HEADER + 'some text\tother\n'.repeat(200_000));
    let count = 0;
    for await (const row of rowSource(path).read()) {
      expect(row.targetText).toBe('other');
      if (++count === 3) break;
    }
    expect(count).toBe(3);
  });

  test.each([
    [
      'empty.tsv',
      '',
      /^data: .*empty\.tsv is empty\. It needs a first line that names the columns input_text and target_text\./,
    ],
    ['blank.csv', '\n\n', /blank\.csv is empty/],
    ['empty.jsonl', '\n', /empty\.jsonl is empty/],
    [
      'names.tsv',
      'source\ttarget_text\na\tb\n',
      /names\.tsv has no column input_text; its first line names "source", "target_text"\. It needs input_text and target_text\./,
    ],
    [
      'commas.tsv',
      'input_text,target_text\na,b\n',
      /commas\.tsv has no column input_text; its first line names "input_text,target_text"\./,
    ],
    [
      'short.tsv',
      `${HEADER}a\tb\n"x\ny"\tz\nonly\n`,
      /short\.tsv, line 5: the cell target_text is missing \(1 of 2 cells\)/,
    ],
    ['more.tsv', `${HEADER}a\tb\tc\n`, /more\.tsv, line 2: 3 cells under 2 columns/],
    ['open.tsv', `${HEADER}a\tb\nc\t"d\ne\tf\n`, /open\.tsv: the quote that opens at line 3 is never closed/],
    ['last.tsv', `${HEADER}a\t"`, /last\.tsv: the quote that opens at line 2 is never closed/],
    [
      'bytes.tsv',
      Buffer.concat([Buffer.from(`${HEADER}é\tb\nc`), Buffer.from([0xff]), Buffer.from('\td\n')]),
      /bytes\.tsv is not valid UTF-8 at byte 29, line 3 \(0xff\)/,
    ],
    ['broken.jsonl', '{"input_text":"a","target_text":"b"}\n{"input_text":', /broken\.jsonl, line 2 is not JSON: /],
    ['list.json', '["a","b"]\n', /list\.json, line 1 is a list\. A row is an object with input_text and target_text\./],
    [
      'type.jsonl',
      '\n{"input_text":"a","target_text":5}\n',
      /type\.jsonl, line 2: target_text is a number\. It must be a string\./,
    ],
    ['missing.jsonl', '{"target_text":"a"}\n', /missing\.jsonl, line 1: input_text is missing/],
  ])('refuses %s', async (name, content, message) => {
    await expect(rowsFrom(file(name, content))).rejects.toThrow(message);
  });

  test('refuses what is no table', async () => {
    await expect(rowsFrom(join(scratch, 'nowhere.tsv'))).rejects.toThrow(
      /^data: cannot read .*nowhere\.tsv: ENOENT: no such file.* Check the path\./,
    );
    await expect(rowsFrom(join(scratch, 'rows.xlsx'))).rejects.toThrow(
      'Its name must end with .tsv, .txt, .csv, .jsonl, .json, .parquet, .arrow, .arrows, .feather, .ipc; those of text may be compressed, .gz.',
    );
    const folder = mkdtempSync(join(scratch, 'folder-'));
    await expect(rowsFrom(folder)).rejects.toThrow('cannot tell what kind of table');
  });
});

describe('rowsFrom objects', () => {
  test('with either names', async () => {
    expect(
      await rowsFrom([
        { input_text: 'a', target_text: 'b' },
        { inputText: 'c', targetText: '' },
      ]),
    ).toEqual(rows(['a', 'b'], ['c', '']));
    expect(await rowsFrom([])).toEqual([]);
  });

  test.each([
    [
      [{ inputText: 'a', targetText: 'b' }, { inputText: 'a' }],
      'data: row 1: target_text is missing. It must be a string.',
    ],
    [[{ inputText: 1, targetText: 'b' }], 'data: row 0: input_text is a number.'],
    [[{ inputText: 'a', targetText: null }], 'data: row 0: target_text is null.'],
    [[['a', 'b']], 'data: row 0 is a list. A row is an object with input_text and target_text.'],
    [['a'], 'data: row 0 is a string.'],
    [[undefined], 'data: row 0 is undefined.'],
    [{ inputText: 'a', targetText: 'b' }, 'data: rows are the path of a table or a list of objects, not an object.'],
    [undefined, 'data: rows are the path of a table or a list of objects, not undefined.'],
  ])('refuses %j', async (data, message) => {
    await expect(rowsFrom(data as unknown as Row[])).rejects.toThrow(message);
  });
});

describe('readLines', () => {
  const lines = async (text: string | Uint8Array) => {
    const fromFile = await all(readLines(file('lines.txt', text)));
    const bytes = Buffer.from(text);
    const byByte = await all(readLines(Readable.from(Array.from(bytes, (byte) => Uint8Array.of(byte)))));
    expect(byByte).toEqual(fromFile);
    return fromFile;
  };

  test.each([
    ['a\nb\n', ['a', 'b']],
    ['a\nb', ['a', 'b']],
    ['\n', ['']],
    ['a\n\n\nb\n\n', ['a', '', '', 'b', '']],
    ['a\r\nb\r\n\r\n', ['a', 'b', '']],
    ['a\rb\n', ['a\rb']],
    ['\ufeffa\n', ['a']],
    ['a\r', ['a\r']],
    ['a\u2028b\u0085c\x0bd\n', ['a\u2028b\u0085c\x0bd']],
    ['', []],
  ])('%j', async (text, expected) => expect(await lines(text)).toEqual(expected));

  test('a megabyte, and invalid bytes', async () => {
    const long = 'é'.repeat(500_000);
    expect(await all(readLines(file('long.txt', `${long}\n${long}`)))).toEqual([long, long]);
    const cut = Readable.from([Buffer.from('a\nb'), Buffer.from([0xe2, 0x82])]);
    await expect(all(readLines(cut))).rejects.toThrow(
      'data: the input stream is not valid UTF-8 at byte 3, line 2 (0xe2).',
    );
    await expect(all(readLines(join(scratch, 'nowhere')))).rejects.toThrow(/^data: cannot read .*nowhere: ENOENT/);
    await expect(all(readLines(scratch))).rejects.toThrow(/^data: cannot read .*: EISDIR/);
  });
});
