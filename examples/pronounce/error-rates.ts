/** Shares of 1. */
export interface ErrorRates {
  /** Phonemes to insert, delete or replace, of all phonemes there should be. */
  readonly phonemes: number;
  /** Words of which not every phoneme is right. */
  readonly words: number;
}

/**
 * How far answers are from what the dictionary says. Where it lists several pronunciations, an answer is held against
 * the nearest one, so that each of them is right.
 */
export function errorRates(answers: readonly string[], listed: readonly (readonly string[])[]): ErrorRates {
  let [edits, phonemes, wrong] = [0, 0, 0];
  for (const [i, answer] of answers.entries()) {
    const { distance, length } = nearest(answer, listed[i]!);
    edits += distance;
    phonemes += length;
    wrong += Number(distance > 0);
  }
  return { phonemes: edits / phonemes, words: wrong / answers.length };
}

/** The least distance to one of the pronunciations, and how many phonemes that one has. */
function nearest(answer: string, pronunciations: readonly string[]): { distance: number; length: number } {
  const said = answer.split(' ');
  return pronunciations
    .map((pronunciation) => pronunciation.split(' '))
    .map((phonemes) => ({ distance: editDistance(said, phonemes), length: phonemes.length }))
    .reduce((best, candidate) => (candidate.distance < best.distance ? candidate : best));
}

/** The fewest insertions, deletions and replacements that turn `a` into `b` (Levenshtein). */
export function editDistance(a: readonly string[], b: readonly string[]): number {
  // row[j]: from the part of `a` read so far to the first j items of `b`.
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, item] of a.entries()) {
    const next = [i + 1];
    for (const [j, other] of b.entries()) {
      next.push(Math.min(row[j]! + Number(item !== other), row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row.at(-1)!;
}
