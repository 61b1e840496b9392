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
  readonly #pieces: readonly SentencePiece[];
  readonly #unkId: number;

  constructor(pieces: readonly SentencePiece[], unkId: number) {
    this.trie = trieOf(pieces, isTextPiece);
    this.#byName = trieOf(pieces, (piece) => !isTextPiece(piece));
    this.#pieces = pieces;
    this.#unkId = unkId;
  }

  /** The piece with this text, or {@link NONE}; a control piece rather than a text piece, as in SentencePiece. */
  pieceAt(bytes: Uint8Array, start: number, end: number): number {
    for (const trie of [this.#byName, this.trie]) {
      const node = walk(trie, ROOT, bytes, start, end);
      const id = node === NONE ? NONE : trie.valueAt(node);
      if (id !== NONE) return id;
    }
    return NONE;
  }

  /** As {@link pieceAt}, but unused pieces are unknown as are texts that no piece has. */
  idOf(bytes: Uint8Array, start: number, end: number): number {
    const id = this.pieceAt(bytes, start, end);
    return id === NONE || this.#pieces[id]!.type === 'unused' ? this.#unkId : id;
  }
}
