import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { readLines } from './lines.js';

const folder = mkdtempSync(join(tmpdir(), 'seq2seq-lines-'));
const path = join(folder, 'input.txt');
afterAll(() => rmSync(folder, { recursive: true }));

async function linesOf(content: string | Uint8Array, encoding?: string): Promise<string[]> {
  writeFileSync(path, content);
  const lines: string[] = [];
  for await (const line of readLines(path, { encoding })) lines.push(line);
  return lines;
}

describe('lines', () => {
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
    expect(await linesOf(content)).toEqual(lines);
  });

  it('gives back any lines, also longer than what is read at once', async () => {
    const line = fc.oneof(
      fc.string({ unit: 'binary' }).map((text) => text.replace(/[\n\r\uFEFF]/g, ' ')),
      fc.integer({ min: 60_000, max: 70_000 }).map((length) => 'é'.repeat(length)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (lines) => {
        expect(await linesOf(lines.map((each) => `${each}\n`).join(''))).toEqual(lines);
      }),
      { numRuns: 40 },
    );
  });

  it('names the line that is not of its encoding', async () => {
    await expect(linesOf(Uint8Array.of(97, 10, 98, 0xff, 10))).rejects.toThrow(
      `data: ${path} is not valid UTF-8 at byte 3, line 2 (0xff). Convert it to UTF-8, or name its encoding.`,
    );
  });

  it('reads other encodings', async () => {
    expect(await linesOf(Uint8Array.of(0xff, 10, 0xe9, 10), 'latin-1')).toEqual(['ÿ', 'é']);
    expect(await linesOf(Uint8Array.of(0x83, 0x65, 10), 'shift_jis')).toEqual(['テ']);
    expect(await linesOf(Buffer.from('a\né', 'utf16le'), 'utf-16le')).toEqual(['a', 'é']);
    await expect(linesOf('a', 'utf-16le')).rejects.toThrow(`data: ${path} is not valid utf-16le beyond byte 1.`);
    await expect(linesOf('a', 'latin')).rejects.toThrow('data: there is no encoding "latin".');
  });
});
