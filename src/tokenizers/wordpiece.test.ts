import { readFileSync } from 'node:fs';
import { join } from 'node:path';
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
