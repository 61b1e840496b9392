import { matches, ngramCounts } from './ngrams.js';

// ROUGE (Lin 2004) as Google's `rouge_score` computes it without stemming: the mean over rows of the F-measure, from 0 to 1.

type Score = (truth: string, prediction: string) => number;

const meanOf = (score: Score) => (truths: readonly string[], predictions: readonly string[]) =>
  truths.reduce((sum, truth, i) => sum + score(truth, predictions[i]!), 0) / Math.max(1, truths.length);

export const rouge1 = meanOf(ngramScore(1));
export const rouge2 = meanOf(ngramScore(2));
/** Of the longest common subsequence. */
export const rougeL = meanOf((truth, prediction) => {
  const [expected, found] = [tokens(truth), tokens(prediction)];
  return fMeasure(commonPlaces(expected, found).length, expected.length, found.length);
});
/** Of longest common subsequences by sentences, which are lines. */
export const rougeLsum = meanOf((truth, prediction) => {
  const [expected, found] = [sentences(truth), sentences(prediction)];
  const left = { expected: ngramCounts(expected.flat(), 1), found: ngramCounts(found.flat(), 1) };
  let hits = 0;
  for (const sentence of expected) {
    const union = new Set(found.flatMap((other) => commonPlaces(sentence, other)));
    for (const place of [...union].sort((a, b) => a - b)) {
      const token = sentence[place]!;
      const [there, here] = [left.found.get(token) ?? 0, left.expected.get(token) ?? 0];
      if (there === 0 || here === 0) continue;
      hits++;
      left.found.set(token, there - 1);
      left.expected.set(token, here - 1);
    }
  }
  return fMeasure(hits, expected.flat().length, found.flat().length);
});

function ngramScore(order: number): Score {
  return (truth, prediction) => {
    const [expected, found] = [tokens(truth), tokens(prediction)];
    const hits = matches(ngramCounts(expected, order), ngramCounts(found, order));
    return fMeasure(hits, expected.length - order + 1, found.length - order + 1);
  };
}

function fMeasure(hits: number, expected: number, found: number): number {
  if (hits === 0) return 0;
  const [precision, recall] = [hits / found, hits / expected];
  return (2 * precision * recall) / (precision + recall);
}

/** Runs of ASCII letters and digits, in lower case. */
const tokens = (text: string): string[] => text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
const sentences = (text: string): string[][] => text.split('\n').map(tokens);

/** The places in `a` of one longest common subsequence with `b`: of several, the one that the reference's walk back finds. */
function commonPlaces(a: readonly string[], b: readonly string[]): number[] {
  const width = b.length + 1;
  const table = new Uint32Array((a.length + 1) * width);
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j < width; j++) {
      const at = i * width + j;
      table[at] = a[i - 1] === b[j - 1] ? table[at - width - 1]! + 1 : Math.max(table[at - width]!, table[at - 1]!);
    }
  }
  const places: number[] = [];
  for (let i = a.length, j = b.length; i > 0 && j > 0; ) {
    const at = i * width + j;
    if (a[i - 1] === b[j - 1]) {
      places.push(i - 1);
      i--;
      j--;
    } else if (table[at - 1]! > table[at - width]!) j--;
    else i--;
  }
  return places.reverse();
}
