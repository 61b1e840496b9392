import type { Row } from './wordnet.js';

/** Shares of 1. */
export interface Scores {
  /** Answers that are right from the first level to the last. */
  readonly exact: number;
  /** Answers whose first level is right. */
  readonly first: number;
  /** Levels, of all there are, that are right together with all before them. */
  readonly levels: number;
}

export function score(answers: readonly string[], rows: readonly Row[]): Scores {
  let [exact, first, right, listed] = [0, 0, 0, 0];
  for (const [i, { target_text }] of rows.entries()) {
    const [answer, target] = [levelsOf(answers[i]!), levelsOf(target_text)];
    const wrong = target.findIndex((level, depth) => answer[depth] !== level);
    const agreed = wrong < 0 ? target.length : wrong;
    exact += Number(agreed === target.length && answer.length === target.length);
    first += Number(agreed > 0);
    right += agreed;
    listed += target.length;
  }
  return { exact: exact / rows.length, first: first / rows.length, levels: right / listed };
}

/** A BERT's tokenizer cuts at every mark and writes `know - how` for `know-how`. */
function levelsOf(text: string): string[] {
  return text.split(',').map((level) => level.trim().replaceAll(' - ', '-'));
}

/** The answer that is right most often when the definition is not looked at. */
export function commonest(rows: readonly Row[]): string {
  const counts = new Map<string, number>();
  for (const { target_text } of rows) counts.set(target_text, (counts.get(target_text) ?? 0) + 1);
  return [...counts].reduce((most, one) => (one[1] > most[1] ? one : most))[0];
}
