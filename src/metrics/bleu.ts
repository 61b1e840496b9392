import { matches, ngramCounts } from './ngrams.js';
import { stripEnd, words } from './python-text.js';

const ORDER = 4;
/** Of sacrebleu, whose scores these are. */
export const SACREBLEU = '2.6.0';
export const bleuSignature = `nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:${SACREBLEU}`;

/** Corpus BLEU (Papineni et al. 2002) from 0 to 100, as sacrebleu computes it by default, with one reference a row. */
export function bleu(truths: readonly string[], predictions: readonly string[]): number {
  const correct = new Array<number>(ORDER).fill(0);
  const total = new Array<number>(ORDER).fill(0);
  let [length, referenceLength] = [0, 0];
  for (const [i, truth] of truths.entries()) {
    const reference = tokenize13a(truth);
    const found = tokenize13a(predictions[i]!);
    length += found.length;
    referenceLength += reference.length;
    for (let order = 1; order <= ORDER; order++) {
      correct[order - 1]! += matches(ngramCounts(found, order), ngramCounts(reference, order));
      total[order - 1]! += Math.max(0, found.length - order + 1);
    }
  }
  // A corpus that is shorter than the longest n-gram, or meets none, scores 0.
  if (correct[0] === 0 || total.includes(0)) return 0;
  const brevity = length < referenceLength ? Math.exp(1 - referenceLength / length) : 1;
  let halving = 1;
  const logs = correct.map((count, i) => {
    // Exponential smoothing: each order without a match counts half of the one before.
    if (count === 0) halving *= 2;
    return Math.log(count === 0 ? 100 / (halving * total[i]!) : (100 * count) / total[i]!);
  });
  return brevity * Math.exp(logs.reduce((a, b) => a + b, 0) / ORDER);
}

const ENTITIES: readonly [string, string][] = [
  ['&quot;', '"'],
  ['&amp;', '&'],
  ['&lt;', '<'],
  ['&gt;', '>'],
];
const RULES: readonly [RegExp, string][] = [
  [/([{-~[-` -&(-+:-@/])/gu, ' $1 '],
  // A period or comma is a word unless it stands between digits.
  [/([^0-9])([.,])/gu, '$1 $2 '],
  [/([.,])([^0-9])/gu, ' $1 $2'],
  // A dash behind a digit.
  [/([0-9])(-)/gu, '$1 $2 '],
];

/** The tokenizer of mteval-v13a, as WMT uses it. */
function tokenize13a(text: string): string[] {
  let line = stripEnd(text).replaceAll('<skipped>', '').replaceAll('-\n', '').replaceAll('\n', ' ');
  for (const [entity, character] of ENTITIES) line = line.replaceAll(entity, character);
  line = ` ${line} `;
  for (const [pattern, replacement] of RULES) line = line.replace(pattern, replacement);
  return words(line);
}
