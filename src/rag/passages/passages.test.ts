import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../tests/support.js';
import { strip } from '../../tokenizers/index.js';
import type { Passage } from '../passage.js';
import { builtInPassages, readPassages } from './index.js';
import { splitText } from './split.js';

const fixtures = fileURLToPath(new URL('../../../tests/fixtures/datasets', import.meta.url));
const expected = JSON.parse(readFileSync(join(fixtures, 'passages.json'), 'utf8')) as {
  splits: { text: string; n: number; character: string; pieces: string[] }[];
  passages: { title: string[]; text: string[] }[];
};
const folder = temporaryFolder();
const usual = { splitTextN: 100, splitTextCharacter: ' ', includeTitle: true };

function file(content: string | Buffer): string {
  const place = join(folder, `knowledge-${Math.random()}.tsv`);
  writeFileSync(place, content);
  return place;
}

async function all(place: string, options: Partial<Parameters<typeof readPassages>[1]> = {}): Promise<Passage[]> {
  const passages: Passage[] = [];
  for await (const passage of readPassages(place, { ...usual, ...options })) passages.push(passage);
  return passages;
}

const message = (content: string | Buffer, options = {}) =>
  all(file(content), options).then(
    () => 'no error',
    (error: Error) => error.message,
  );

describe('splitText', () => {
  it('splits as Simple Transformers, but for pieces without text', () => {
    for (const { text, n, character, pieces } of expected.splits) {
      const rule = { splitTextN: n, splitTextCharacter: character };
      expect([...splitText(text, rule)], JSON.stringify(text)).toEqual(pieces.filter((piece) => piece !== ''));
    }
  });

  it('splits any text as splitting and joining would', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 4 }), fc.constantFrom(' ', 'a', '. ', 'aa'), (text, n, by) => {
        const words = text.split(by);
        const pieces = words.flatMap((_, i) => (i % n === 0 ? [strip(words.slice(i, i + n).join(by))] : []));
        const rule = { splitTextN: n, splitTextCharacter: by };
        expect([...splitText(text, rule)]).toEqual(pieces.filter((piece) => piece !== ''));
      }),
    );
  });
});

describe('readPassages', () => {
  it.each([
    [3, 0],
    [100, 1],
  ])('reads a file as Simple Transformers, %i words a passage', async (splitTextN, which) => {
    const { title, text } = expected.passages[which]!;
    const wanted = title.map((each, i) => ({ title: each, text: text[i]! })).filter((passage) => passage.text !== '');
    expect(await all(join(fixtures, 'knowledge.tsv'), { splitTextN })).toEqual(wanted);
  });

  it('takes a first row that names the columns for a header', async () => {
    expect(await all(file('Title\tText\na\tb\n'))).toEqual([{ title: 'a', text: 'b' }]);
    expect(await all(file('text\nb c\n'), { includeTitle: false })).toEqual([{ title: '', text: 'b c' }]);
  });

  it('leaves rows without a text out, and says which', async () => {
    let heard: unknown;
    const onSkipped = (count: number, lines: readonly number[]) => {
      heard = [count, lines];
    };
    expect(await all(file('a\tone\nb\t\nc\t  \nd\ttwo\n'), { onSkipped })).toHaveLength(2);
    expect(heard).toEqual([2, [2, 3]]);
  });

  it('takes quotes and tabs inside quotes', async () => {
    expect(await all(file('"a ""b"""\t"c\td\ne"\n'))).toEqual([{ title: 'a "b"', text: 'c\td\ne' }]);
  });

  it('refuses what is no table of titles and texts, with the line', async () => {
    expect(await message('one column\n')).toContain('line 1 ("one column"): it has 1 column, where 2 are needed');
    expect(await message('a\tb\nc\td\te\n')).toContain('line 2 ("c"): it has 3 columns');
    expect(await message('a\t"open\n')).toContain('never closed');
    expect(await message('')).toContain('has no rows');
    expect(await message('a\t\nb\t\n')).toContain('the texts of all its 2 rows are empty');
    expect(await message(Buffer.from('a\tcaf\xe9\n', 'latin1'))).toContain('is not valid UTF-8');
    expect(await message('a\tb\n', { splitTextCharacter: '' })).toContain('splitTextCharacter is empty');
    await expect(all(join(folder, 'none.tsv'))).rejects.toThrow('is not there');
    await expect(all(folder)).rejects.toThrow('is a directory');
  });

  it('refuses a passage that nothing splits, and reads a cell of 100 MB that splits', async () => {
    expect(await message(`a\t${'x'.repeat(200_000)}\n`)).toContain('a passage has 200000 characters');
    const passages = await all(file(`a\t${'word '.repeat(20_000_000)}\n`));
    expect(passages).toHaveLength(200_000);
  });
});

it('has passages of its own', () => {
  expect(builtInPassages.length).toBeGreaterThan(30);
  for (const { title, text } of builtInPassages) expect([title, text].every((each) => each.trim() !== '')).toBe(true);
});
