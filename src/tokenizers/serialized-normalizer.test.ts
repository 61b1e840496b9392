import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PrecompiledNormalizer, parseSentencePiece } from './sentencepiece/index.js';
import { normalizerOf } from './serialized-normalizer.js';

const MODEL = new URL('../../tests/fixtures/tokenizers/sentencepiece/unigram.model', import.meta.url);

test('a long text in parts is normalised as a whole', () => {
  const { precompiledCharsmap } = parseSentencePiece(readFileSync(MODEL), 'unigram.model').normalizer;
  const whole = new PrecompiledNormalizer(precompiledCharsmap);
  const charsmap = Buffer.from(precompiledCharsmap).toString('base64');
  const normalize = normalizerOf({ type: 'Precompiled', precompiled_charsmap: charsmap })!;
  const cluster = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 3 }),
    fc.constantFrom(
      '\u0301',
      '🇩🇪',
      '🇫',
      '👨‍👩‍👧',
      '龘',
      '\u1100',
      '\u1161',
      '\r\n',
      'ﬁ',
      '\ud834\udd65',
      '𝅘',
      '\u0915\u094d',
      '\ud800',
    ),
  );
  fc.assert(
    fc.property(fc.array(cluster, { minLength: 600, maxLength: 2000 }), (clusters) => {
      const text = clusters.join('');
      expect(normalize(text) === whole.normalizeGraphemes(text)).toBe(true);
    }),
    { numRuns: 40, seed: 1 },
  );
});

test('strips and replaces in order', () => {
  const normalize = normalizerOf({
    type: 'Sequence',
    normalizers: [
      { type: 'Strip', strip_left: false, strip_right: true },
      { type: 'Replace', pattern: { Regex: ' {2,}' }, content: '_' },
      { type: 'Replace', pattern: { String: 'a.' }, content: '$&' },
    ],
  })!;
  expect(normalize('  a.b   ab \u3000\n')).toBe('_$&b_ab');
  expect(normalizerOf(null)).toBeUndefined();
});
