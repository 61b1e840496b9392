import { CLASS_RUNS } from './character-class-runs.js';

/** What GPT-2's pre-tokenizer tells apart: `\p{L}`, `\p{N}`, `\s` and the rest. */
export const CharacterClass = { Other: 0, Letter: 1, Number: 2, Space: 3 } as const;
export type CharacterClass = (typeof CharacterClass)[keyof typeof CharacterClass];

/**
 * Class of every code point. A table, not JavaScript's `\p{…}`: that follows the Unicode version of the Node it runs on,
 * differs in U+0085 and U+FEFF, and the same text must give the same tokens everywhere, those the reference gives.
 */
const CLASSES = new Uint8Array(0x110000);
let end = 0;
for (const [, length, letter] of CLASS_RUNS.matchAll(/([0-9a-z]+)([OLNS])/g)) {
  const start = end;
  end += Number.parseInt(length!, 36);
  CLASSES.fill('OLNS'.indexOf(letter!), start, end);
}

/** Class of the code point at `index`; a lone surrogate is no letter. */
export function classOf(text: string, index: number): CharacterClass {
  return CLASSES[text.codePointAt(index)!] as CharacterClass;
}

/** Whether the UTF-16 unit at `index` is white space (all of which is in the basic plane). */
export function isSpace(text: string, index: number): boolean {
  return CLASSES[text.charCodeAt(index)] === CharacterClass.Space;
}
