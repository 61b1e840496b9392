import { CharacterClass, classOf } from './character-class.js';

const SPACE = 0x20;
const APOSTROPHE = 0x27;
const CONTRACTION = /'(?:s|t|re|ve|m|ll|d)/y;

/**
 * Where the word that begins at `start` ends. Cutting a text at these places is GPT-2's pre-tokenizer,
 *
 *     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * as a scan: it is linear and needs no stack, however long a word is, and its character classes are pinned.
 */
export function wordEnd(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === APOSTROPHE) {
    CONTRACTION.lastIndex = start;
    if (CONTRACTION.test(text)) return CONTRACTION.lastIndex;
  }
  // One space belongs to the word behind it.
  const leads = first === SPACE && start + 1 < text.length && classOf(text, start + 1) !== CharacterClass.Space;
  const from = leads ? start + 1 : start;
  const kind = classOf(text, from);
  let end = from;
  while (end < text.length && classOf(text, end) === kind) end += text.codePointAt(end)! > 0xffff ? 2 : 1;
  // `\s+(?!\S)`: a run of white space leaves its last character to what follows.
  return kind === CharacterClass.Space && end < text.length && end - start > 1 ? end - 1 : end;
}
