import type { DoubleArray } from './double-array.js';
import { longestKey, PieceIndex } from './piece-index.js';
import type { SegmenterOf } from './segmenter.js';
import { characterLength } from './utf8.js';

/** Room for longer texts is not kept for the next one. */
const KEPT = 1 << 16;

/** What a text is made of before anything is merged: characters and user-defined symbols. */
export class Symbols {
  count = 0;
  /** Where each begins, and the text's length behind the last. */
  starts = new Int32Array(0);
  isUserDefined = new Uint8Array(0);

  constructor(readonly userDefined: DoubleArray | undefined) {}

  /** Those of a text, in place of the last one's. */
  read(bytes: Uint8Array, length: number): void {
    if (length >= this.starts.length || this.starts.length > KEPT) this.#makeRoom(length);
    const { userDefined, starts, isUserDefined } = this;
    let count = 0;
    for (let i = 0; i < length; count++) {
      const symbol = userDefined === undefined ? 0 : longestKey(userDefined, bytes, i, length);
      starts[count] = i;
      isUserDefined[count] = symbol > 0 ? 1 : 0;
      i = Math.min(length, i + (symbol || characterLength(bytes[i]!)));
    }
    starts[count] = length;
    this.count = count;
  }

  #makeRoom(length: number): void {
    const size = length + 1 > KEPT ? length + 1 : Math.min(KEPT, 2 * (length + 1));
    this.starts = new Int32Array(size);
    this.isUserDefined = new Uint8Array(size);
  }
}

/** Every character and every user-defined symbol is a piece. */
export const characterSegmenter: SegmenterOf = ({ pieces, unkId, userDefined }) => {
  const index = new PieceIndex(pieces, unkId);
  const symbols = new Symbols(userDefined);
  return (bytes, length, out) => {
    symbols.read(bytes, length);
    const { count, starts } = symbols;
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
