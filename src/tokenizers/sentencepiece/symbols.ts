import type { DoubleArray } from './double-array.js';
import { longestKey, PieceIndex } from './piece-index.js';
import type { SegmenterOf } from './segmenter.js';
import { characterLength } from './utf8.js';

/** What a text is made of before anything is merged: characters and user-defined symbols. */
export interface Symbols {
  readonly count: number;
  /** Where each begins, and the text's length behind the last. */
  readonly starts: Int32Array;
  readonly isUserDefined: Uint8Array;
}

export function symbolsOf(bytes: Uint8Array, length: number, userDefined: DoubleArray | undefined): Symbols {
  const starts = new Int32Array(length + 1);
  const isUserDefined = new Uint8Array(length);
  let count = 0;
  for (let i = 0; i < length; count++) {
    const symbol = userDefined === undefined ? 0 : longestKey(userDefined, bytes, i, length);
    starts[count] = i;
    isUserDefined[count] = Number(symbol > 0);
    i = Math.min(length, i + (symbol || characterLength(bytes[i]!)));
  }
  starts[count] = length;
  return { count, starts, isUserDefined };
}

/** Every character and every user-defined symbol is a piece. */
export const characterSegmenter: SegmenterOf = ({ pieces, unkId, userDefined }) => {
  const index = new PieceIndex(pieces, unkId);
  return (bytes, length, out) => {
    const { count, starts } = symbolsOf(bytes, length, userDefined);
    for (let i = 0; i < count; i++) {
      out.ids.push(index.idOf(bytes, starts[i]!, starts[i + 1]!));
      out.ends.push(starts[i + 1]!);
    }
  };
};

/** U+2581. */
const SPACE = [0xe2, 0x96, 0x81] as const;

/** Every word, from its escaped space to before the next, is a piece. */
export const wordSegmenter: SegmenterOf = ({ pieces, unkId }) => {
  const index = new PieceIndex(pieces, unkId);
  return (bytes, length, out) => {
    let start = 0;
    for (let i = 1; i <= length; i++) {
      if (i < length && SPACE.some((byte, k) => bytes[i + k] !== byte)) continue;
      out.ids.push(index.idOf(bytes, start, i));
      out.ends.push(i);
      start = i;
    }
  };
};
