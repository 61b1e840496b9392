import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readDictionary, split } from '../../examples/pronounce/dictionary.js';
import { editDistance, errorRates } from '../../examples/pronounce/error-rates.js';
import { createTokenizer } from '../../examples/pronounce/tokenizer.js';

const entries = readDictionary();

describe('the dictionary', () => {
  it('has each word once, with all its pronunciations and without stress', () => {
    const words = new Map(entries.map(({ word, pronunciations }) => [word, pronunciations]));
    expect(words.size).toBe(entries.length);
    expect(words.get('hello')).toEqual(['HH AH L OW', 'HH EH L OW']);
    expect(entries.every(({ pronunciations }) => pronunciations.every((said) => /^[A-Z]+( [A-Z]+)*$/.test(said)))).toBe(
      true,
    );
  });

  it('falls into the same three parts every time, no word into two', () => {
    const parts = split(entries);
    expect(split(entries)).toEqual(parts);
    const reversed = split([...entries].reverse());
    expect(new Set(reversed.test)).toEqual(new Set(parts.test));
    const [train, dev, test] = [parts.train, parts.dev, parts.test].map(
      (part) => new Set(part.map(({ word }) => word)),
    );
    for (const word of test!) expect(train!.has(word) || dev!.has(word)).toBe(false);
    for (const word of dev!) expect(train!.has(word)).toBe(false);
    expect(train!.size + dev!.size + test!.size).toBe(entries.length);
    expect(Math.abs(test!.size / entries.length - 0.1)).toBeLessThan(0.005);
    expect(Math.abs(dev!.size / entries.length - 0.05)).toBeLessThan(0.005);
  });
});

describe('the tokenizer', () => {
  const tokenizer = createTokenizer(entries);

  it('has one token for each letter and each phoneme', () => {
    const phonemes = new Set(
      entries.flatMap(({ pronunciations }) => pronunciations).flatMap((said) => said.split(' ')),
    );
    for (const phoneme of phonemes) expect(tokenizer.encode(` ${phoneme}`), phoneme).toHaveLength(3);
    for (const { word } of entries.slice(0, 5000)) expect(tokenizer.encode(word)).toHaveLength([...word].length + 2);
  });

  it('gives every pronunciation back', () => {
    for (const said of entries.slice(0, 20_000).flatMap(({ pronunciations }) => pronunciations)) {
      expect(tokenizer.decode(tokenizer.encode(` ${said}`), { skipSpecialTokens: true })).toBe(` ${said}`);
    }
  });
});

describe('error rates', () => {
  it('hold an answer against the nearest pronunciation', () => {
    const listed = [['HH AH L OW', 'HH EH L OW'], ['K AE T'], ['D AO G']];
    expect(errorRates(['HH EH L OW', 'K AA T S', ''], listed)).toEqual({ phonemes: 5 / 10, words: 2 / 3 });
  });

  it('count edits as a metric does', () => {
    const words = fc.array(fc.constantFrom('A', 'B', 'C'), { maxLength: 6 });
    fc.assert(
      fc.property(words, words, words, (a, b, c) => {
        expect(editDistance(a, a)).toBe(0);
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b)).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
        expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c));
      }),
    );
  });
});
