const CONTROL = /[\0\ufffd]|(?![\t\n\r])\p{C}/gu;
const WHITE_SPACE = /\p{White_Space}/gu;
/** Ideographs, by the blocks that BERT knows; kana and hangul are written in words. */
const IDEOGRAPH =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;
const ACCENT = /\p{Mn}/gu;
/** Signs, each of which is a word: those of ASCII, and what Unicode takes for punctuation. */
const WORD = /[!-/:-@[-`{-~]|\p{P}|[^\p{White_Space}\p{P}!-/:-@[-`{-~]+/gu;

/** The words that BERT cuts a text into; lower case goes without accents. */
export function bertWords(text: string, lowercase: boolean): string[] {
  let clean = text.replace(CONTROL, '').replace(WHITE_SPACE, ' ').replace(IDEOGRAPH, ' $& ');
  // Character by character: a sigma is a σ also at the end of a word.
  if (lowercase) clean = Array.from(clean.normalize('NFD').replace(ACCENT, ''), (c) => c.toLowerCase()).join('');
  return clean.match(WORD) ?? [];
}
