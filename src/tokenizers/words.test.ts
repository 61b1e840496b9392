import { byteLevelPreTokenizer } from 'tokenizers';
import { describe, expect, test } from 'vitest';
import { toByteAlphabet } from './byte-alphabet.js';
import { classOf } from './character-class.js';
import { wordEnd } from './words.js';

const native = byteLevelPreTokenizer(false);

function words(text: string): string[] {
  const found: string[] = [];
  for (let start = 0; start < text.length; ) {
    const end = wordEnd(text, start);
    found.push(text.slice(start, end));
    start = end;
  }
  return found;
}

describe('words are cut as by the native pre-tokenizer', () => {
  test.each([
    ["I'll don't ''s 's'S", ['I', "'ll", ' don', "'t", " ''", 's', " '", 's', "'", 'S']],
    ["'d'd'm'm've've're'x", ["'d", "'d", "'m", "'m", "'ve", "'ve", "'re", "'", 'x']],
    ['a  b', ['a', ' ', ' b']],
    ['a \n b \n', ['a', ' \n', ' b', ' \n']],
    ['  ', ['  ']],
    ['\u00a0x', ['\u00a0', 'x']],
    ['12ab34 5', ['12', 'ab', '34', ' 5']],
    ['', []],
  ])('%j', (text, expected) => {
    expect(words(text)).toEqual(expected);
    expect(native.preTokenizeString(text).map(([word]) => word)).toEqual(expected.map(toByteAlphabet));
  });

  test('beside both sides of every change of class, and code points between', () => {
    const probed: string[] = [];
    for (let code = 1; code < 0x110000; code++) {
      if (code >= 0xd800 && code <= 0xe000) continue;
      const [before, character] = [String.fromCodePoint(code - 1), String.fromCodePoint(code)];
      if (classOf(before, 0) !== classOf(character, 0)) probed.push(before, character);
      else if (code % 97 === 0) probed.push(character);
    }
    expect(probed.length).toBeGreaterThan(10_000);
    const text = probed.map((character) => `a${character}1${character}!${character}\n`).join('');
    const expected = native.preTokenizeString(text).map(([word]) => word);
    expect(words(text).map(toByteAlphabet).join('|') === expected.join('|')).toBe(true);
  });
});
