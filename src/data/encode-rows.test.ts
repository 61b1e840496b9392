import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { bartVocabulary, byteAlphabet, createByteLevelBpe } from '../tokenizers/index.js';
import { type EncodedRows, type EncodeLimits, type EncodeRun, encodeRows, type RowData, rowSource } from './index.js';
import { openTokenFile, TokenWriter } from './token-file.js';
import { TokenStore } from './token-store.js';

const tokenizer = createByteLevelBpe({ vocab: bartVocabulary(byteAlphabet()), merges: [] });
const tokenizers = { source: tokenizer, target: tokenizer };
const ids = (text: string) => [...tokenizer.encode(text)];
const folder = mkdtempSync(path.join(tmpdir(), 'tokens-'));
afterAll(() => rmSync(folder, { recursive: true }));

const usual: EncodeLimits = { maxSourceLength: 64, maxTargetLength: 64 };
const encode = (data: RowData, limits: EncodeLimits = usual, run: EncodeRun = {}) =>
  encodeRows(rowSource(data), tokenizers, limits, run);
const tokensOf = ({ store }: EncodedRows) =>
  Array.from({ length: store.sources.length }, (_, row) => [
    [...store.sources.tokens(row)],
    [...store.targets.tokens(row)],
  ]);

describe('encodeRows', () => {
  test('tokenises both sides, counts what is cut, and leaves out rows with a blank side', async () => {
    const encoded = await encode(
      [
        { inputText: 'abcd', targetText: 'x' },
        { inputText: ' ', targetText: 'xyz' },
        { inputText: 'ab', targetText: '\t\n' },
        { inputText: 'abc', targetText: 'xyz' },
        { inputText: '', targetText: '' },
        { inputText: 'a', targetText: 'b' },
      ],
      { maxSourceLength: 4, maxTargetLength: 3 },
    );
    expect(encoded).toMatchObject({ cutSources: 2, cutTargets: 1, blankSources: 2, blankTargets: 1 });
    expect(tokensOf(encoded)).toEqual([
      [ids('ab'), ids('x')],
      [ids('ab'), ids('x')],
      [ids('a'), ids('b')],
    ]);
    expect([0, 1, 2].map((row) => encoded.rowNumber(row))).toEqual([0, 3, 5]);
  });

  test('reports progress; no rows are a store too', async () => {
    const rows = Array.from({ length: 5001 }, (_, i) => ({ inputText: `${i}`, targetText: 'x' }));
    const done: number[] = [];
    const { store } = await encode(rows, usual, { onProgress: (count) => done.push(count) });
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(done.length).toBeGreaterThan(5);
    expect(done.at(-1)).toBe(5001);
    expect([...store.sources.tokens(4999)]).toEqual(ids('4999'));
    expect((await encode([])).store.targets.length).toBe(0);
  });

  test.each([1, 2])('%d threads give the same tokens', async (workers) => {
    const rows = Array.from({ length: 950 }, (_, i) => ({ inputText: `ab${'ab'.repeat(i % 7)}`, targetText: `${i}` }));
    const limits = { maxSourceLength: 9, maxTargetLength: 4 };
    const encoded = await encode(rows, limits, { threads: { workers, always: true, chunk: 100 } });
    const alone = await encode(rows, limits);
    expect(tokensOf(encoded)).toEqual(tokensOf(alone));
    expect(encoded.fingerprint).toBe(alone.fingerprint);
    expect([encoded.cutSources, encoded.cutTargets]).toEqual([alone.cutSources, alone.cutTargets]);
    expect(encoded.cutTargets).toBe(850);
  });

  test('a limit without room for a token is refused', async () => {
    const rows = [{ inputText: 'a', targetText: 'b' }];
    await expect(encode(rows, { maxSourceLength: 1, maxTargetLength: 64 })).rejects.toThrow(
      'tokenizer: a length of 1 has no room',
    );
  });

  test('the fingerprint tells other tokens, however they are parted', async () => {
    const fingerprints = await Promise.all(
      [
        [{ inputText: 'ab', targetText: 'c' }],
        [{ inputText: 'a', targetText: 'bc' }],
        [{ inputText: 'ab', targetText: 'd' }],
        [
          { inputText: 'ab', targetText: 'c' },
          { inputText: 'ab', targetText: 'c' },
        ],
      ].map(async (rows) => (await encode(rows)).fingerprint),
    );
    expect(new Set(fingerprints).size).toBe(4);
  });
});

describe('the cache', () => {
  const rows = [
    { inputText: 'one', targetText: 'two' },
    { inputText: ' ', targetText: 'x' },
    { inputText: 'three', targetText: 'four' },
  ];
  const cached = (directory: string, read = true, write = true) => ({ cache: { directory, read, write } });

  test('gives the same rows again, and is made anew when anything changed', async () => {
    const directory = path.join(folder, 'cache');
    const first = await encode(rows, usual, cached(directory));
    expect(first.cache).toEqual({ file: expect.stringContaining(directory), wasThere: false });
    const again = await encode(rows, usual, cached(directory));
    expect(again.cache).toEqual({ file: first.cache!.file, wasThere: true });
    expect(tokensOf(again)).toEqual(tokensOf(first));
    expect(again).toMatchObject({ fingerprint: first.fingerprint, blankSources: 1, blankTargets: 0 });
    expect(again.rowNumber(1)).toBe(2);

    const other = tokenizer.withAddedTokens(['<new>']);
    const changes: (() => Promise<EncodedRows>)[] = [
      () => encode([...rows].reverse(), usual, cached(directory)),
      () => encode(rows, { ...usual, maxSourceLength: 63 }, cached(directory)),
      () => encode(rows, { ...usual, maxTargetLength: 63 }, cached(directory)),
      () => encode(rows, { ...usual, targetLanguage: 'de' }, cached(directory)),
      () => encodeRows(rowSource(rows), { source: other, target: other }, usual, cached(directory)),
      () => encodeRows(rowSource(rows), { source: tokenizer, target: other }, usual, cached(directory)),
    ];
    for (const [i, change] of changes.entries()) {
      expect((await change()).cache?.wasThere, `change ${i}`).toBe(false);
      expect(readdirSync(directory)).toHaveLength(i + 2);
    }
  });

  test('of a file is known by its content, not by its time or name', async () => {
    const directory = path.join(folder, 'by-content');
    const write = (name: string, text: string) => {
      writeFileSync(path.join(folder, name), `input_text\ttarget_text\n${text}\tx\n`);
      return encode(path.join(folder, name), usual, cached(directory));
    };
    expect((await write('a.tsv', 'one')).cache?.wasThere).toBe(false);
    expect((await write('b.tsv', 'one')).cache?.wasThere).toBe(true);
    expect((await write('b.tsv', 'two')).cache?.wasThere).toBe(false);
  });

  test('is neither read nor written unless it may be', async () => {
    const directory = path.join(folder, 'off');
    await encode(rows, usual, cached(directory, true, false));
    expect(existsSync(directory)).toBe(false);
    await encode(rows, usual, cached(directory, false, true));
    expect((await encode(rows, usual, cached(directory, false, true))).cache?.wasThere).toBe(false);
    expect((await encode(rows, usual, cached(directory, true, false))).cache?.wasThere).toBe(true);
  });

  test('that is broken is made again', async () => {
    const directory = path.join(folder, 'broken');
    const { cache, fingerprint } = await encode(rows, usual, cached(directory));
    const { size } = statSync(cache!.file);
    for (const length of [0, 5, size - 1, size - 20]) {
      truncateSync(cache!.file, length);
      const again = await encode(rows, usual, cached(directory));
      expect(again.cache?.wasThere).toBe(false);
      expect(again.fingerprint).toBe(fingerprint);
      expect(statSync(cache!.file).size).toBe(size);
    }
  });

  test('that cannot be written says what to do', async () => {
    const file = path.join(folder, 'a-file');
    writeFileSync(file, '');
    await expect(encode(rows, usual, cached(path.join(file, 'below')))).rejects.toThrow(
      /^cache: .*Name another cacheDir/,
    );
  });

  test('leaves nothing aside when rows end in an error', async () => {
    const directory = path.join(folder, 'failed');
    const wrong = path.join(folder, 'wrong.tsv');
    writeFileSync(wrong, 'input_text\ttarget_text\na\tb\nc\n');
    await expect(encode(wrong, usual, cached(directory))).rejects.toThrow('line 3');
    expect(existsSync(directory) ? readdirSync(directory) : []).toEqual([]);
  });
});

describe('a token file', () => {
  test('gives back any rows, of two bytes a token and of four', async () => {
    const row = fc.tuple(fc.array(fc.nat(65_535), { maxLength: 40 }), fc.array(fc.nat(65_535), { maxLength: 40 }));
    let count = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 200 }), fc.constantFrom(2, 4), async (rows, width) => {
        const place = path.join(folder, `file-${count++}`);
        const writer = new TokenWriter(width as 2 | 4, place);
        for (const [source, target] of rows) writer.add(Int32Array.from(source), Int32Array.from(target));
        writer.drop(3);
        const counts = { cutSources: 1, cutTargets: 2, blankSources: 3, blankTargets: 4 };
        const { store, summary } = await writer.finish(counts);
        const opened = openTokenFile(place)!;
        for (const each of [store, opened.store]) {
          expect(rows.map((_, i) => [[...each.sources.tokens(i)], [...each.targets.tokens(i)]])).toEqual(rows);
          each.close();
        }
        expect(opened.summary).toEqual(summary);
        expect([...opened.dropped]).toEqual([3]);
        rmSync(place);
      }),
      { seed: 1, numRuns: 40 },
    );
  });

  test('is read from the disk where it is', async () => {
    const place = path.join(folder, 'ids');
    writeFileSync(place, Buffer.from(Uint16Array.of(1, 2, 3, 4, 5, 6).buffer));
    const { openSync } = await import('node:fs');
    const store = new TokenStore({ file: openSync(place, 'r') }, 2, Uint32Array.of(1, 0, 2), Uint32Array.of(2, 1, 0));
    expect([0, 1, 2].map((row) => [[...store.sources.tokens(row)], [...store.targets.tokens(row)]])).toEqual([
      [[1], [2, 3]],
      [[], [4]],
      [[5, 6], []],
    ]);
    store.close();
    expect(readFileSync(place).length).toBe(12);
  });
});
