import { type Counts, compareCodePoints, countCharacters } from './counts.js';
import type { IndexedWords } from './suffixes.js';

/** Never pieces: what the format ends strings with, and what SentencePiece marks rare characters with. */
const RESERVED = new Set(['\0', '\u2585']);
/** Stands before every text, however rare that is among the characters of long ones. */
const SPACE = '\u2581';

/**
 * Words as ids of characters, and the characters by id, most frequent first; id 0 stands for all that are too rare.
 * @param coverage share of the texts' characters that must be pieces
 */
export function indexWords(
  counts: Counts,
  coverage: number,
): { words: IndexedWords; characters: string[]; rare: string[] } {
  const frequent = [...countCharacters(counts)].sort(([a, n], [b, m]) => m - n || compareCodePoints(a, b));
  const total = frequent.reduce((sum, [, count]) => sum + count, 0);
  const characters = [''];
  const rare: string[] = [];
  let covered = 0;
  for (const [character, count] of frequent) {
    const isCovered = covered / total >= coverage;
    covered += count;
    if (RESERVED.has(character)) continue;
    (isCovered && character !== SPACE ? rare : characters).push(character);
  }

  const ids = new Map(characters.map((character, id) => [character, id]));
  // Sorted, so that the order of the texts makes no difference.
  const sorted = [...counts].sort(([a, n], [b, m]) => m - n || compareCodePoints(a, b));
  const lengths = sorted.map(([word]) => [...word].length);
  const starts = new Int32Array(sorted.length + 1);
  for (const [i, length] of lengths.entries()) starts[i + 1] = starts[i]! + length;
  const text = new Int32Array(starts[sorted.length]!);
  let at = 0;
  for (const [word] of sorted) for (const character of word) text[at++] = ids.get(character) ?? 0;
  return { words: { text, starts, counts: Float64Array.from(sorted, ([, count]) => count) }, characters, rare };
}
