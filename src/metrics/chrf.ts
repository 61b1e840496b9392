import { SACREBLEU } from './bleu.js';
import { matches, ngramCounts } from './ngrams.js';
import { characters, words } from './python-text.js';

const ORDER = 6;
const BETA = 2;
export const chrfSignature = `nrefs:1|case:mixed|eff:yes|nc:${ORDER}|nw:0|space:no|version:${SACREBLEU}`;

/** Corpus chrF2 (Popović 2015) from 0 to 100, as sacrebleu computes it by default: the F-score of character n-grams. */
export function chrf(truths: readonly string[], predictions: readonly string[]): number {
  const sums = Array.from({ length: ORDER }, () => ({ found: 0, expected: 0, matched: 0 }));
  for (const [i, truth] of truths.entries()) {
    const reference = characters(words(truth).join(''));
    const found = characters(words(predictions[i]!).join(''));
    for (let order = 1; order <= ORDER; order++) {
      const sum = sums[order - 1]!;
      const expected = Math.max(0, reference.length - order + 1);
      sum.expected += expected;
      // Where the reference has none, those of the prediction do not count against it.
      if (expected > 0) sum.found += Math.max(0, found.length - order + 1);
      sum.matched += matches(ngramCounts(found, order, ''), ngramCounts(reference, order, ''));
    }
  }
  const effective = sums.filter(({ found, expected }) => found > 0 && expected > 0);
  const mean = (share: (sum: (typeof sums)[number]) => number) =>
    effective.reduce((total, sum) => total + share(sum), 0) / Math.max(1, effective.length);
  const precision = mean(({ matched, found }) => matched / found);
  const recall = mean(({ matched, expected }) => matched / expected);
  if (precision + recall === 0) return 0;
  return (100 * (1 + BETA ** 2) * precision * recall) / (BETA ** 2 * precision + recall);
}
