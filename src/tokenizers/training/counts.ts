import { fail } from '../../errors.js';

/** What a `Map` of V8 holds. */
const MOST_WORDS = 2 ** 24 - 1;
/** From this length on a slice of a text keeps the whole text alive. */
const SLICE_LENGTH = 13;

/** How often each word was met: all that training keeps of a text, so that memory is bounded by the distinct words. */
export class Counts {
  readonly #counts = new Map<string, number>();

  add(word: string): void {
    const count = this.#counts.get(word);
    if (count !== undefined) {
      this.#counts.set(word, count + 1);
      return;
    }
    if (this.#counts.size === MOST_WORDS) {
      fail(
        'tokenizer',
        `the texts have more than ${MOST_WORDS} different words, as many as can be counted. Train on a part of them.`,
      );
    }
    this.#counts.set(word.length < SLICE_LENGTH ? word : Buffer.from(word, 'utf16le').toString('utf16le'), 1);
  }

  get size(): number {
    return this.#counts.size;
  }

  [Symbol.iterator](): IterableIterator<[word: string, count: number]> {
    return this.#counts.entries();
  }
}

/** Characters (code points) of the counted words and how often each occurs. */
export function countCharacters(words: Iterable<[string, number]>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [word, count] of words) {
    for (const character of word) counts.set(character, (counts.get(character) ?? 0) + count);
  }
  return counts;
}

/** By code point, which is also the order of UTF-8; that of UTF-16, JavaScript's own, puts the astral planes too early. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === length) return a.length - b.length;
  const before = i > 0 && isHighSurrogate(a.charCodeAt(i - 1)) ? i - 1 : i;
  return a.codePointAt(before)! - b.codePointAt(before)!;
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00;
