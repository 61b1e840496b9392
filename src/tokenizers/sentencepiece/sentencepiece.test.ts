import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PrecompiledNormalizer, parseSentencePiece, SentencePieceModel } from './index.js';

/** What Python's sentencepiece says: see scripts/reference/sentencepiece_models.py, where `MODELS` has each one's settings. */
const FIXTURES = new URL('../../../tests/fixtures/tokenizers/sentencepiece/', import.meta.url).pathname;
const read = <T>(name: string) => JSON.parse(readFileSync(join(FIXTURES, name), 'utf8')) as T;
const fileOf = (name: string) => parseSentencePiece(readFileSync(join(FIXTURES, `${name}.model`)), name);

interface Reference {
  /** `pieces` where they are not those of the ids. */
  cases: readonly [ids: number[], decoded: string, pieces?: string[]][];
  decoded: readonly [pieces: string[], text: string][];
}

const texts = read<string[]>('texts.json');
const NAMES = [
  ...['unigram', 'unigram-folded', 'unigram-identity', 'unigram-bytes', 'unigram-rules', 'unigram-suffix'],
  ...['unigram-unused', 'unigram-ties', 'unigram-rivals', 'bpe', 'bpe-bytes', 'bpe-unused', 'bpe-ties', 'char', 'word'],
];

describe.each(NAMES)('%s, against the reference', (name) => {
  const model = new SentencePieceModel(fileOf(name));
  const { cases, decoded } = read<Reference>(`${name}.json`);

  test('ids, pieces and decoded text', () => {
    expect(cases.length).toBe(texts.length);
    expect(cases.length).toBeGreaterThan(480);
    // Twice, since the second time words may be remembered.
    for (let pass = 0; pass < 2; pass++) {
      const found = texts.map((text) => {
        const pieces = model.encodePieces(text);
        return [model.encode(text), model.decode(pieces), pieces];
      });
      expect(found).toEqual(
        cases.map(([ids, text, pieces]) => [ids, text, pieces ?? ids.map((id) => model.pieces[id]!.piece)]),
      );
    }
  });

  test('decoded text of any pieces', () => {
    expect(decoded.length).toBe(150);
    expect(decoded.map(([pieces]) => model.decode(pieces))).toEqual(decoded.map(([, text]) => text));
  });

  test('any text: pieces of the vocabulary, the same ones each time', () => {
    const fresh = new SentencePieceModel(fileOf(name));
    fc.assert(
      fc.property(anyText, (text) => {
        const ids = model.encode(text);
        expect(fresh.encode(text)).toEqual(ids);
        const pieces = model.encodePieces(text);
        expect(pieces.length).toBe(ids.length);
        expect(ids.every((id, i) => id === model.unkId || model.pieces[id]?.piece === pieces[i])).toBe(true);
        expect(model.encode(Buffer.from(text).toString())).toEqual(ids);
      }),
      { numRuns: 200, seed: 5 },
    );
  });

  test('long texts take time in proportion to their length', () => {
    const word = 'abcdefghij☃'.repeat(20_000);
    for (const text of [word, 'a'.repeat(200_000), 'the '.repeat(50_000), ' '.repeat(200_000)]) {
      const began = process.cpuUsage();
      expect(model.decode(model.encodePieces(text)).length).toBeLessThan(8 * text.length);
      // Microseconds; a square of the length would be minutes.
      expect(process.cpuUsage(began).user).toBeLessThan(6e6);
    }
  });
});

/** Any UTF-16, lone surrogates too, and what models treat differently. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.string({ maxLength: 8 }),
      fc.constantFrom(' ', '  ', '\u2581', '<mask>', '<unk>', '<s>', '<0x41>', 'the', ' he', '\ud800', '\udc00', '\0'),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''));

describe('decoding what was encoded', () => {
  test('gives the text back where bytes stand for what is unknown', () => {
    const model = new SentencePieceModel(fileOf('bpe-bytes'));
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (text) => {
        // U+2581 is how a space is written in pieces.
        expect(model.decode(model.encodePieces(text))).toBe(text.replaceAll('\u2581', ' '));
      }),
      { numRuns: 500, seed: 6 },
    );
  });

  test.each(['unigram', 'unigram-bytes', 'bpe', 'bpe-ties', 'char'])('of known words: %s', (name) => {
    const model = new SentencePieceModel(fileOf(name));
    const words = fc.array(fc.constantFrom('hello', 'world', 'the', 'not', 'über', 'мир', '42'), { minLength: 1 });
    fc.assert(
      fc.property(words, (known) => {
        const text = known.join(' ');
        expect(model.decode(model.encodePieces(text))).toBe(text);
      }),
      { numRuns: 100, seed: 7 },
    );
  });
});

test('a map alone, as sentencepiece and as tokenizers apply it', () => {
  const map = new PrecompiledNormalizer(fileOf('unigram').normalizer.precompiledCharsmap);
  const expected = read<[string, string][]>('maps.json');
  expect(expected.length).toBe(texts.length);
  expect(texts.map((text) => [map.normalize(text), map.normalizeGraphemes(text)])).toEqual(expected);
});

test.each(['bpe-ties', 'bpe-bytes'])('word by word as whole texts: %s', (name) => {
  const file = fileOf(name);
  const byWord = new SentencePieceModel(file);
  // With a space within a piece, words could depend on each other; no text below has this one.
  const across = { piece: '\u{10ffff}\u2581', score: 0, type: 'normal' } as const;
  const whole = new SentencePieceModel({ ...file, pieces: [...file.pieces, across] });
  const words = fc.array(
    fc.constantFrom(' ', '  ', 'the', 'th', 'e', 'ello', '1', 'über', '<mask>', '\u2581', '☃', 'x'.repeat(70)),
  );
  fc.assert(
    fc.property(words, (parts) => {
      expect(byWord.encode(parts.join(''))).toEqual(whole.encode(parts.join('')));
    }),
    { numRuns: 500, seed: 10 },
  );
});
