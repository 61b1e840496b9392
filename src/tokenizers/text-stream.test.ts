import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadTokenizer, TextStream } from './index.js';

const FIXTURES = new URL('../../tests/fixtures/tokenizers/', import.meta.url).pathname;

describe.each([
  ['bart', 'slow'],
  ['roberta', 'fast'],
  ['bert', 'wordpiece/uncased'],
  ['marian', 'marian/separate'],
  ['mbart', 'mbart'],
  ['camembert', '../encoder-decoder/camembert/encoder'],
])('the pieces of a %s text', (modelType, place) => {
  const tokenizer = loadTokenizer(join(FIXTURES, place), modelType);
  const size = tokenizer.targetVocabSize ?? tokenizer.vocabSize;
  const known = Array.from({ length: size }, (_, id) => id).filter((id) => tokenizer.tokenOf(id) !== undefined);
  // Tokens that the clean-up looks at come much more often than by chance.
  const delicate = known.filter((id) => /^[Ġ▁#]*(['.,?!nstvermdo]|not?|'t)*$/i.test(tokenizer.tokenOf(id)!));
  const ids = fc.array(fc.oneof(fc.constantFrom(...known), fc.constantFrom(...delicate)), { maxLength: 30 });

  it.each([true, false])('add up to the text (clean-up: %s)', (cleanUpTokenizationSpaces) => {
    fc.assert(
      fc.property(ids, fc.boolean(), (tokens, skipSpecialTokens) => {
        const options = { skipSpecialTokens, cleanUpTokenizationSpaces };
        const stream = new TextStream(tokenizer, options);
        const pieces = [...tokens.map((id) => stream.push(id)), stream.end()];
        expect(pieces.join('')).toBe(tokenizer.decode(tokens, options));
      }),
      { numRuns: 1500, seed: 7 },
    );
  });
});

it('gives what is certain at once, and a character of several bytes when it is whole', () => {
  const tokenizer = loadTokenizer(join(FIXTURES, 'slow'), 'bart');
  const options = { skipSpecialTokens: true, cleanUpTokenizationSpaces: true };
  const ids = tokenizer.encode(' the list 😀 that', { addSpecialTokens: false });
  const stream = new TextStream(tokenizer, options);
  const pieces = [...ids].map((id) => stream.push(id));
  expect(pieces.join('') + stream.end()).toBe(tokenizer.decode(ids, options));
  expect(pieces.filter(Boolean).length).toBeGreaterThan(3);
  expect(pieces.some((piece) => piece.includes('😀'))).toBe(true);
  expect(pieces.join('')).not.toContain('\uFFFD');
});
