import { fail } from '../../errors.js';
import { DoubleArray, NONE, ROOT } from './double-array.js';

/** A replacement and how many bytes it stands for. */
export interface Match {
  /** Where it begins in {@link Charsmap.replacements}; {@link NONE} if there is none for this place of the text. */
  start: number;
  end: number;
  length: number;
}

/**
 * A `precompiled_charsmap`: the size in bytes of a double array (uint32), that array, and replacements, each ended by
 * a NUL; the array leads from what is replaced to where its replacement begins. All little endian and in UTF-8.
 */
export class Charsmap {
  readonly replacements: Uint8Array;
  readonly #trie: DoubleArray;

  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = bytes.length < 4 ? 0 : view.getUint32(0, true);
    if (size < 4 || size % 4 !== 0 || size > bytes.length - 4) {
      fail(
        'tokenizer',
        `the precompiled character map of ${bytes.length} bytes says that ${size} of them are its index. It is damaged; get the tokenizer's files anew.`,
      );
    }
    this.#trie = new DoubleArray(Int32Array.from({ length: size / 4 }, (_, i) => view.getInt32(4 + 4 * i, true)));
    this.replacements = bytes.slice(4 + size);
  }

  /** The replacement for the longest beginning of `bytes[start, end)` that has one, into `match`. */
  longest(bytes: Uint8Array, start: number, end: number, match: Match): void {
    this.#search(bytes, start, end, match, false);
  }

  /** As {@link longest}, for the shortest beginning. */
  shortest(bytes: Uint8Array, start: number, end: number, match: Match): void {
    this.#search(bytes, start, end, match, true);
  }

  #search(bytes: Uint8Array, start: number, end: number, match: Match, first: boolean): void {
    match.start = NONE;
    let node = ROOT;
    for (let i = start; i < end; i++) {
      node = this.#trie.step(node, bytes[i]!);
      if (node === NONE) break;
      const value = this.#trie.valueAt(node);
      if (value === NONE) continue;
      match.start = value;
      match.length = i + 1 - start;
      if (first) break;
    }
    if (match.start !== NONE) match.end = this.#endOf(match.start);
  }

  #endOf(start: number): number {
    let end = start;
    while (end < this.replacements.length && this.replacements[end] !== 0) end++;
    return end;
  }
}
