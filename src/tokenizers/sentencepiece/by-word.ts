import type { SentencePiece } from './file.js';
import { isTextPiece } from './piece-index.js';
import type { Segmenter, Segments } from './segmenter.js';

/** Words kept, and the longest that is, in bytes. */
const KEPT_WORDS = 1 << 16;
const LONGEST_KEPT = 64;
/** U+2581. */
const SPACE = [0xe2, 0x96, 0x81] as const;
const SPACE_WITHIN = /[^\u2581]\u2581/;

/**
 * Whether a BPE model cuts each word, which begins where a space follows what is no space, as if it stood alone. So it is
 * if no text piece has such a place within: whatever is joined is a text piece and so lies in one word, where the order
 * of merges depends on its own pairs alone; user-defined symbols lie in one word likewise, and are found from their
 * beginning on. Unused pieces break this, taken apart as they were last made anywhere in the text.
 *
 * Unigram models are not cut so: the score of a path is rounded at each step from the beginning of the text, hence which
 * paths are equal in a word can depend on the words before it.
 */
export function isWordLocal(pieces: readonly SentencePiece[]): boolean {
  return pieces.every((piece) => piece.type !== 'unused' && !(isTextPiece(piece) && SPACE_WITHIN.test(piece.piece)));
}

/** A segmenter that cuts each word once and remembers it, for models that are word-local. */
export function byWord(segment: Segmenter): Segmenter {
  const known = new Map<string, Segments>();
  const segmented = (word: Uint8Array): Segments => {
    const segments = { ids: [], ends: [] };
    segment(word, word.length, segments);
    return segments;
  };
  return (bytes, length, out) => {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, length);
    for (let start = 0, end = 0; start < length; start = end) {
      end = wordEnd(bytes, start, length);
      if (end - start > LONGEST_KEPT) {
        append(out, segmented(bytes.subarray(start, end)), start);
        continue;
      }
      // Any text will do that differs where the bytes do.
      const key = buffer.toString('latin1', start, end);
      let word = known.get(key);
      if (word === undefined) {
        if (known.size >= KEPT_WORDS) known.clear();
        word = segmented(bytes.subarray(start, end));
        known.set(key, word);
      }
      append(out, word, start);
    }
  };
}

/** Where the next space is that follows what is no space, or the end. */
function wordEnd(bytes: Uint8Array, start: number, length: number): number {
  let isAfterSpace = true;
  for (let i = start; i < length; ) {
    const isSpace = bytes[i] === SPACE[0] && bytes[i + 1] === SPACE[1] && bytes[i + 2] === SPACE[2];
    if (isSpace && !isAfterSpace) return i;
    isAfterSpace = isSpace;
    i += isSpace ? SPACE.length : 1;
  }
  return length;
}

function append(out: Segments, { ids, ends }: Segments, start: number): void {
  for (let i = 0; i < ids.length; i++) {
    out.ids.push(ids[i]!);
    out.ends.push(start + ends[i]!);
  }
}
