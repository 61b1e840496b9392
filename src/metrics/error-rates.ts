import { editDistance } from '../edit-distance.js';
import { characters, singleSpaces, strip, words } from './python-text.js';

type Split = (text: string) => readonly string[];

/** Edits over the length of the truths, both summed over all rows; where all truths are empty, the edits alone. */
const errorRate = (split: Split) => (truths: readonly string[], predictions: readonly string[]) => {
  let [edits, length] = [0, 0];
  for (const [i, truth] of truths.entries()) {
    const expected = split(truth);
    edits += editDistance(expected, split(predictions[i]!));
    length += expected.length;
  }
  return edits / Math.max(1, length);
};

/** Word error rate, words split as jiwer does: at spaces alone. */
export const wer = errorRate((text) =>
  strip(singleSpaces(text))
    .split(' ')
    .filter((word) => word !== ''),
);
/** Character error rate, as jiwer: of the text without space around it. */
export const cer = errorRate((text) => characters(strip(text)));
/** Phoneme error rate: of symbols between any space. */
export const per = errorRate(words);

/** The share of predictions that are the truth, to the letter. */
export function exactMatch(truths: readonly string[], predictions: readonly string[]): number {
  return truths.filter((truth, i) => truth === predictions[i]).length / Math.max(1, truths.length);
}
