import { fail } from '../errors.js';
import type { Tokenizer } from '../tokenizers/index.js';

const SPECIALS = 3;

/**
 * Two texts as a BERT reads them, `[CLS] first [SEP] second [SEP]`; what is too long loses the ends of the longer text, or of
 * both, as the `longest_first` truncation of Hugging Face's tokenizers does it.
 * @param maxLength tokens of both, special ones included
 */
export function encodePair(tokenizer: Tokenizer, first: string, second: string, maxLength: number): Int32Array {
  const { cls, sep } = tokenizer.special;
  if (cls === undefined || sep === undefined) {
    return fail(
      'tokenizer',
      'the context encoder’s has no [CLS] and [SEP], between which texts are put. Use a BERT’s.',
    );
  }
  const [a, b] = [first, second].map((text) => tokenizer.encode(text, { addSpecialTokens: false })) as [
    Int32Array,
    Int32Array,
  ];
  const [keepA, keepB] = keptLengths(a.length, b.length, maxLength - SPECIALS);
  const ids = new Int32Array(keepA + keepB + SPECIALS);
  ids[0] = cls;
  ids.set(a.subarray(0, keepA), 1);
  ids[keepA + 1] = sep;
  ids.set(b.subarray(0, keepB), keepA + 2);
  ids[ids.length - 1] = sep;
  return ids;
}

/** How many tokens of two texts are kept: the shorter one whole, if it takes at most half of the room. */
function keptLengths(a: number, b: number, room: number): [a: number, b: number] {
  if (a + b <= room) return [a, b];
  const [shorter, longer] = a <= b ? [a, b] : [b, a];
  let [keepShorter, keepLonger] = [shorter, Math.min(longer, Math.max(shorter, room - shorter))];
  if (keepShorter + keepLonger > room) {
    keepShorter = Math.floor(room / 2);
    keepLonger = keepShorter + (room % 2);
  }
  return a <= b ? [keepShorter, keepLonger] : [keepLonger, keepShorter];
}
