import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { describe, expect, test } from 'vitest';
import { createWordPiece, loadTokenizer, memorySource } from './index.js';

const FIXTURES = new URL('../../tests/fixtures/tokenizers/wordpiece/', import.meta.url).pathname;
interface Case {
  text: string;
  ids: number[];
  decoded: string;
  skipped: string;
  cleaned: string;
}

describe.each(['cased', 'cased/fast', 'uncased', 'uncased/fast'])('%s, against the reference', (name) => {
  const loaded = loadTokenizer(join(FIXTURES, name), 'bert');
  const cases = JSON.parse(readFileSync(join(FIXTURES, name.split('/')[0]!, 'cases.json'), 'utf8')) as Case[];

  test.each([
    ['loaded', loaded],
    ['saved', loadTokenizer(memorySource(loaded.files()), 'bert')],
  ])('%s: ids and decoded text', (_, tokenizer) => {
    expect(cases.length).toBeGreaterThan(400);
    const wrong = cases.filter(({ text, ids }) => String(tokenizer.encode(text)) !== String(ids));
    expect(wrong.map(({ text, ids }) => [text, ids, tokenizer.encode(text)])).toEqual([]);
    for (const { ids, decoded, skipped, cleaned } of cases) {
      expect(tokenizer.decode(ids)).toBe(decoded);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(skipped);
      expect(tokenizer.decode(ids, { cleanUpTokenizationSpaces: true })).toBe(cleaned);
    }
  });

  test('any text', () => {
    const native = NativeTokenizer.fromString(loaded.files().get('tokenizer.json') as string);
    fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 20 }), async (text) => {
        expect([...loaded.encode(text)]).toEqual((await native.encode(text, null)).getIds());
      }),
      { numRuns: 100, seed: 5 },
    );
  });
});

interface Variant {
  name: string;
  file: string;
  settings: object | null;
  normalizer: object;
  cases: Pick<Case, 'text' | 'ids' | 'decoded'>[];
}
const variants = JSON.parse(readFileSync(join(FIXTURES, 'variants.json'), 'utf8')) as Variant[];

describe('one file, with settings or entirely alone, against the reference', () => {
  test.each(variants.map((variant) => [variant.file, variant.name, variant] as const))('%s: %s', (file, _, variant) => {
    const files = new Map([[basename(file), readFileSync(join(FIXTURES, file), 'utf8')]]);
    if (variant.settings) files.set('tokenizer_config.json', JSON.stringify(variant.settings));
    const loaded = loadTokenizer(memorySource(files), 'bert');
    const saved = loaded.files();
    expect(JSON.parse(saved.get('tokenizer.json') as string)).toMatchObject({ normalizer: variant.normalizer });
    for (const tokenizer of [loaded, loadTokenizer(memorySource(saved), 'bert')]) {
      const answers = variant.cases.map(({ text, ids }) => {
        const found = [...tokenizer.encode(text)];
        return { text, ids: found, decoded: tokenizer.decode(ids) };
      });
      expect(answers).toEqual(variant.cases);
    }
  });

  test('uncased tokenizer.json alone: the ids of all hard strings', () => {
    const text = readFileSync(join(FIXTURES, 'uncased/fast/tokenizer.json'), 'utf8');
    const alone = loadTokenizer(memorySource(new Map([['tokenizer.json', text]])), 'bert');
    const cases = JSON.parse(readFileSync(join(FIXTURES, 'uncased/cases.json'), 'utf8')) as Case[];
    expect(cases.map((row) => [...alone.encode(row.text)])).toEqual(cases.map(({ ids }) => ids));
  });

  test('every setting makes a difference', () => {
    for (const file of new Set(variants.map((variant) => variant.file))) {
      const own = variants.filter((variant) => variant.file === file);
      const kinds = new Set(own.map(({ cases }) => JSON.stringify(cases.map(({ ids }) => ids))));
      expect(kinds.size).toBeGreaterThanOrEqual(own.length - 1); // by default, lower case takes accents along
    }
  });
});

test('lower case on demand; classes by family', () => {
  const cased = join(FIXTURES, 'cased');
  expect(loadTokenizer(cased, 'bert', { doLowerCase: true }).encode('HELLO')).toEqual(
    loadTokenizer(cased, 'bert').encode('hello'),
  );
  const electra = loadTokenizer(cased, 'electra').files().get('tokenizer_config.json') as string;
  expect(JSON.parse(electra)).toMatchObject({ tokenizer_class: 'ElectraTokenizer', do_lower_case: false });
});

test('further special tokens', () => {
  const base = createWordPiece({ vocab: ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', '##b'] });
  const more = base.withAddedTokens({ additional_special_tokens: ['<x>', '<y>'], sep_token: '<z>' });
  for (const tokenizer of [more, loadTokenizer(memorySource(more.files()), 'bert')]) {
    expect([...tokenizer.encode('Ab<x>a<y> <z>')]).toEqual([2, 5, 6, 7, 5, 8, 9, 3]);
    expect(tokenizer.special.sep).toBe(9);
    expect(tokenizer.vocabSize).toBe(10);
  }
  expect(() => base.withAddedTokens({ end_token: 'x' })).toThrow(/"end_token"/);
});
