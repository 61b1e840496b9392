import { buildDoubleArray, type DoubleArray, NONE, ROOT } from './double-array.js';
import type { PieceType, SentencePiece } from './file.js';

/** The pieces that a text can be made of; the others are called by name only. */
const TEXT_TYPES: readonly PieceType[] = ['normal', 'userDefined', 'unused'];

export const isTextPiece = ({ type }: SentencePiece): boolean => TEXT_TYPES.includes(type);

/** Id of each piece that passes, by its bytes; of pieces with one text the first. */
export function trieOf(pieces: readonly SentencePiece[], passes: (piece: SentencePiece) => boolean): DoubleArray {
  const ids = new Map<string, number>();
  for (const [id, piece] of pieces.entries()) {
    if (passes(piece) && !ids.has(piece.piece)) ids.set(piece.piece, id);
  }
  return buildDoubleArray(ids);
}

/** Where `bytes[start, end)` leads from a node, or {@link NONE}. */
export function walk(trie: DoubleArray, from: number, bytes: Uint8Array, start: number, end: number): number {
  let node = from;
  for (let i = start; i < end && node !== NONE; i++) node = trie.step(node, bytes[i]!);
  return node;
}

/** Bytes of the longest key that `bytes[start, end)` begins with; 0 for none. */
export function longestKey(trie: DoubleArray, bytes: Uint8Array, start: number, end: number): number {
  let longest = 0;
  let node = ROOT;
  for (let i = start; i < end; i++) {
    node = trie.step(node, bytes[i]!);
    if (node === NONE) break;
    if (trie.valueAt(node) !== NONE) longest = i + 1 - start;
  }
  return longest;
}

/** Ids by the bytes of pieces, for segmenters that find pieces first and ids afterwards. */
export class PieceIndex {
  /** Of text pieces. */
  readonly trie: DoubleArray;
  readonly #byName: DoubleArray;
  readonly #unkId: number;

  constructor(pieces: readonly SentencePiece[], unkId: number) {
    this.trie = trieOf(pieces, isTextPiece);
    this.#byName = trieOf(pieces, (piece) => !isTextPiece(piece));
    this.#unkId = unkId;
  }

  /** A text that is the name of a control piece is that piece, as in SentencePiece. */
  idOf(bytes: Uint8Array, start: number, end: number): number {
    for (const trie of [this.#byName, this.trie]) {
      const node = walk(trie, ROOT, bytes, start, end);
      if (node !== NONE && trie.valueAt(node) !== NONE) return trie.valueAt(node);
    }
    return this.#unkId;
  }
}
