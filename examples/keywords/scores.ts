import type { Row } from './corpus.js';

/** Shares of 1. */
export interface Scores {
  /** Sentences all of whose keywords are given, in order, and nothing else. */
  readonly exact: number;
  /** Keywords given that are right. */
  readonly precision: number;
  /** Keywords there are that are given. */
  readonly recall: number;
  /** The harmonic mean of the two. */
  readonly f1: number;
}

/** Holds answers against the rows they are for. A keyword counts as often as it stands there; its place does not matter. */
export function score(answers: readonly string[], rows: readonly Row[]): Scores {
  let [exact, right, given, listed] = [0, 0, 0, 0];
  for (const [i, { target_text }] of rows.entries()) {
    const [answer, target] = [keywordsOf(answers[i]!), keywordsOf(target_text)];
    const left = [...target];
    for (const keyword of answer) {
      const at = left.indexOf(keyword);
      if (at >= 0) left.splice(at, 1);
    }
    exact += Number(answer.join() === target.join());
    right += target.length - left.length;
    given += answer.length;
    listed += target.length;
  }
  const [precision, recall] = [share(right, given), share(right, listed)];
  return { exact: share(exact, rows.length), precision, recall, f1: share(2 * precision * recall, precision + recall) };
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

/** Spaces do not count: a tokenizer that cuts at every mark writes `mid - april` for `mid-april`. */
function keywordsOf(text: string): string[] {
  return text
    .split(',')
    .map((keyword) => keyword.replace(/\s+/g, ''))
    .filter(Boolean);
}
