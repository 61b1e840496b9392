import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from './load.js';
import { memorySource } from './source.js';
import type { Tokenizer } from './tokenizer.js';

type Files = Map<string, string | Uint8Array>;
type Texts = [plain: string, skipped: string, cleaned: string];
interface Expected {
  tokens: number;
  special: object;
  cases: [source: number[], target: number[], ...Texts][];
  decoded: [ids: number[], ...Texts][];
}

const fixtures = fileURLToPath(new URL('../../tests/fixtures/tokenizers/marian', import.meta.url));
const json = (...path: string[]) => JSON.parse(readFileSync(join(fixtures, ...path), 'utf8'));
const texts: { plain: string[]; touching: string[] } = json('texts.json');

/** The files of a folder, over those of another. */
function filesOf(name: string, under: Files = new Map()): Files {
  const files = new Map(under);
  if (under.size > 0) files.delete('tokenizer_config.json');
  for (const file of readdirSync(join(fixtures, name))) {
    if (file !== 'cases.json') files.set(file, readFileSync(join(fixtures, name, file)));
  }
  return files;
}

const joint = filesOf('joint');
const separate = filesOf('separate');
const variants: [name: string, files: Files, texts: string[]][] = [
  ['joint', joint, texts.plain],
  ['separate', separate, texts.plain],
  ['added', filesOf('added', joint), texts.touching],
  ['legacy', filesOf('legacy', joint), texts.touching],
];

const load = (files: Files): Tokenizer => loadTokenizer(memorySource(files), 'marian');
const saved = (tokenizer: Tokenizer): Tokenizer => loadTokenizer(memorySource(tokenizer.files()), 'marian');
const without = (files: Files, ...names: string[]): Files =>
  new Map([...files].filter(([name]) => !names.includes(name)));
const config = (files: Files, settings: object): Files =>
  new Map([...files, ['tokenizer_config.json', JSON.stringify(settings)]]);

function decodings(tokenizer: Tokenizer, ids: ArrayLike<number>): Texts {
  return [
    tokenizer.decode(ids),
    tokenizer.decode(ids, { skipSpecialTokens: true }),
    tokenizer.decode(ids, { cleanUpTokenizationSpaces: true }),
  ];
}

describe.each(variants)('the reference’s answers: %s', (name, files, inputs) => {
  const expected: Expected = json(name, 'cases.json');
  describe.each([
    ['loaded', load(files)],
    ['saved and loaded', saved(load(files))],
  ])('%s', (_, tokenizer) => {
    it('has its tokens', () => {
      expect(tokenizer.vocabSize).toBe(expected.tokens);
      expect(tokenizer.special).toMatchObject(expected.special);
    });

    it('makes its ids and texts', () => {
      const actual = inputs.map((text) => {
        const target = tokenizer.encode(text, { target: true });
        return [text, [...tokenizer.encode(text)], [...target], ...decodings(tokenizer, target)];
      });
      expect(actual).toEqual(expected.cases.map((row, i) => [inputs[i], ...row]));
    });

    it('makes its texts of arbitrary ids', () => {
      const actual = expected.decoded.map(([ids]) => [ids, ...decodings(tokenizer, ids)]);
      expect(actual).toEqual(expected.decoded);
    });
  });
});
