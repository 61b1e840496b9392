import type { SentencePieceFile } from './file.js';
import { decodeBytewise } from './utf8.js';

/** A piece that stands for a byte: `<0x41>`. */
const BYTE_PIECE = /^<0x[0-9A-F]{2}>$/;
const SPACES = /\u2581/g;

export const byteOf = (piece: string): number | undefined =>
  BYTE_PIECE.test(piece) ? Number.parseInt(piece.slice(3, 5), 16) : undefined;

/**
 * Pieces as text: the dummy space at the beginning goes, control pieces are nothing, bytes are joined to characters; what
 * is not in the vocabulary stands for itself.
 */
export function decodePieces(
  pieces: readonly string[],
  file: SentencePieceFile,
  idOf: (piece: string) => number | undefined,
): string {
  const { addDummyPrefix, removeExtraWhitespaces } = file.normalizer;
  let text = '';
  let bytes: number[] = [];
  /** Whether a space here would be the one at the beginning. */
  let atStart = addDummyPrefix || removeExtraWhitespaces;
  const flush = (): void => {
    if (bytes.length > 0) text += decodeBytewise(bytes);
    bytes = [];
  };
  for (const piece of pieces) {
    const id = idOf(piece);
    const type = id === undefined ? undefined : file.pieces[id]!.type;
    if (type === 'byte') {
      bytes.push(byteOf(piece)!);
      continue;
    }
    flush();
    atStart &&= text === '';
    if (type === 'control') continue;
    if (type === undefined) text += piece;
    else if (type === 'unknown') text += file.unkSurface;
    else {
      const isLeading = atStart && piece.startsWith('\u2581');
      text += (isLeading ? piece.slice(1) : piece).replace(SPACES, ' ');
      // All leading spaces go if extra ones are removed, else only the dummy.
      if (isLeading && !removeExtraWhitespaces) atStart = false;
    }
  }
  flush();
  return text;
}
