import { strip } from '../../tokenizers/index.js';

/**
 * A text in pieces, each ending behind the n-th occurrence of a character, as Simple Transformers splits texts into passages.
 * Pieces that have nothing but space are left out.
 */
export function* splitText(
  text: string,
  { splitTextN, splitTextCharacter }: { readonly splitTextN: number; readonly splitTextCharacter: string },
): Generator<string> {
  const width = splitTextCharacter.length;
  for (let start = 0; start <= text.length; ) {
    let end = start - width;
    for (let n = 0; n < splitTextN && end < text.length; n++) {
      const next = text.indexOf(splitTextCharacter, end + width);
      end = next < 0 ? text.length : next;
    }
    const piece = strip(text.slice(start, end));
    if (piece !== '') yield piece;
    start = end + width;
  }
}
