import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { lineChunks, requireReadable } from './input.js';

const folder = mkdtempSync(join(tmpdir(), 'seq2seq-lines-'));
const path = join(folder, 'input.txt');
afterAll(() => rmSync(folder, { recursive: true }));

async function chunksOf(content: string | Uint8Array, size = 256, encoding?: string): Promise<string[][]> {
  writeFileSync(path, content);
  const chunks: string[][] = [];
  for await (const chunk of lineChunks(path, size, encoding)) chunks.push(chunk);
  return chunks;
}

describe('lineChunks', () => {
  it.each([
    ['', []],
    ['\n', ['']],
    ['a', ['a']],
    ['a\n', ['a']],
    ['a\n\nb\n\n', ['a', '', 'b', '']],
    ['a\r\nb\r\n', ['a', 'b']],
    ['\uFEFFa\n\uFEFFb\n', ['a', '\uFEFFb']],
    ['a\u2028b\u0085c\rd\n', ['a\u2028b\u0085c\rd']],
  ])('splits %j', async (content, lines) => {
    expect((await chunksOf(content)).flat()).toEqual(lines);
  });

  it('yields chunks of the size asked for, the last one with the rest', async () => {
    expect(await chunksOf('a\nb\nc\nd\ne', 2)).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
  });

  it('gives back any lines, also longer than what is read at once', async () => {
    const line = fc.oneof(
      fc.string({ unit: 'binary' }).map((text) => text.replace(/[\n\r\uFEFF]/g, ' ')),
      fc.integer({ min: 60_000, max: 70_000 }).map((length) => 'é'.repeat(length)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (lines) => {
        expect((await chunksOf(lines.map((each) => `${each}\n`).join(''), 2)).flat()).toEqual(lines);
      }),
      { numRuns: 40 },
    );
  });

  it('names the line that is not of its encoding', async () => {
    await expect(chunksOf(Uint8Array.of(97, 10, 98, 0xff, 10))).rejects.toThrow(
      `data: ${path} is not valid UTF-8 at byte 3, line 2 (0xff). Convert it to UTF-8, or name its encoding.`,
    );
  });

  it('reads other encodings', async () => {
    expect(await chunksOf(Uint8Array.of(0xff, 10, 0xe9, 10), 9, 'latin-1')).toEqual([['ÿ', 'é']]);
    expect(await chunksOf(Uint8Array.of(0x83, 0x65, 10), 9, 'shift_jis')).toEqual([['テ']]);
    expect(await chunksOf(Buffer.from('a\né', 'utf16le'), 9, 'utf-16le')).toEqual([['a', 'é']]);
    await expect(chunksOf('a', 9, 'utf-16le')).rejects.toThrow(`data: ${path} is not valid utf-16le beyond byte 1.`);
    await expect(chunksOf('a', 9, 'latin')).rejects.toThrow('data: there is no encoding "latin".');
  });
});

describe('requireReadable', () => {
  it('says why a path will not do', () => {
    expect(() => requireReadable(join(folder, 'none'), 'train')).toThrow(
      /^train: cannot read .*none: no such file or directory/,
    );
    expect(() => requireReadable(folder, 'train')).toThrow(/^train: .* is a directory\. Name a file\.$/);
  });
});
