import { BERT_RUNS } from './bert-character-runs.js';

/** What BERT's normaliser and pre-tokenizer tell apart. */
const LETTERS = 'OCSIMP';
const [REMOVED, SPACE, IDEOGRAPH, ACCENT, PUNCTUATION] = [1, 2, 3, 4, 5];
/** Class of every code point; a table, so that the Unicode version of the Node it runs on does not matter. */
const CLASSES = new Uint8Array(0x110000);
let end = 0;
for (const [, length, letter] of BERT_RUNS.matchAll(/([0-9a-z]+)([A-Z])/g)) {
  const start = end;
  end += Number.parseInt(length!, 36);
  CLASSES.fill(LETTERS.indexOf(letter!), start, end);
}

export interface BertNormalizerOptions {
  cleanText: boolean;
  tokenizeChineseChars: boolean;
  /** Undefined: as {@link lowercase}. */
  stripAccents?: boolean | undefined;
  lowercase: boolean;
}

/** Cleans a text, sets ideographs apart, takes accents off and lowers the case, in this order. */
export function bertNormalizer(options: BertNormalizerOptions): (text: string) => string {
  const { cleanText, tokenizeChineseChars, lowercase, stripAccents = lowercase } = options;
  return (text) => {
    let first = '';
    for (const character of text) {
      const kind = CLASSES[character.codePointAt(0)!];
      if (cleanText && kind === REMOVED) continue;
      if (cleanText && kind === SPACE) first += ' ';
      else first += tokenizeChineseChars && kind === IDEOGRAPH ? ` ${character} ` : character;
    }
    if (!stripAccents && !lowercase) return first;
    let second = '';
    for (const character of stripAccents ? first.normalize('NFD') : first) {
      if (stripAccents && CLASSES[character.codePointAt(0)!] === ACCENT) continue;
      // Character by character: a sigma is a σ also at the end of a word.
      second += lowercase ? character.toLowerCase() : character;
    }
    return second;
  };
}

/** Runs of neither white space nor punctuation, and each sign of punctuation. */
export function bertWords(normalized: string): string[] {
  const words: string[] = [];
  let start = 0;
  let at = 0;
  for (const character of normalized) {
    const kind = CLASSES[character.codePointAt(0)!];
    const space = kind === SPACE || /[\v\f\u0085]/.test(character);
    if (space || kind === PUNCTUATION) {
      if (at > start) words.push(normalized.slice(start, at));
      if (!space) words.push(character);
      start = at + character.length;
    }
    at += character.length;
  }
  if (at > start) words.push(normalized.slice(start, at));
  return words;
}
