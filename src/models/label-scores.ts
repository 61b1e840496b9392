import {
  add,
  concat,
  gather,
  gatherElements,
  linearLogSumExp,
  logSumExp,
  matmul,
  multiply,
  parameterRows,
  reshape,
  slice,
  sum,
  type Value,
} from '../graph/index.js';
import type { Seq2SeqArchitecture } from './architecture.js';
import type { Builder } from './builder.js';

/**
 * Rows of the vocabulary projected at a time. A piece of the weight, its logits and its gradient then stay small enough for
 * the matrix products to run at full speed, and the gradient of each piece lands in its own part of the weight's gradient.
 */
const VOCABULARY_CHUNK = 4096;

/** What the vocabulary projection says of labels, without its logits ever being there at once: all [tokens, 1]. */
export interface LabelScores {
  /** log Σ exp(logits) */
  readonly logPartition: Value;
  readonly labelLogit: Value;
  /** The sum of all logits; being linear, it is the hidden state times the sum of the weight's rows. */
  allLogits(): Value;
}

/**
 * @param hidden [tokens, size] the decoder's output
 * @param labels [tokens] int32
 */
export function labelScores(
  m: Builder,
  { head, vocabSize }: Seq2SeqArchitecture,
  hidden: Value,
  labels: Value,
): LabelScores {
  const weight = m.parameter(head.weight);
  const biasName = head.bias !== undefined && !m.isZero(head.bias) ? head.bias : undefined;
  const bias = biasName === undefined ? undefined : reshape(m.parameter(biasName), [vocabSize]);

  const partitions: Value[] = [];
  const chunks: Value[] = [];
  for (let start = 0; start < vocabSize; start += VOCABULARY_CHUNK) {
    const count = Math.min(VOCABULARY_CHUNK, vocabSize - start);
    const rows = count === vocabSize ? weight : parameterRows(weight, start, count);
    partitions.push(linearLogSumExp(hidden, rows, bias && slice(bias, 0, start, start + count)));
    chunks.push(rows);
  }
  const logPartition = partitions.length === 1 ? partitions[0]! : logSumExp(concat(partitions, 1));
  const labelLogit = sum(multiply(hidden, gather(weight, labels)), [1], true);
  return {
    logPartition,
    labelLogit: bias ? add(labelLogit, reshape(gather(bias, labels), labelLogit.shape)) : labelLogit,
    allLogits() {
      const row = chunks.map((rows) => sum(rows, [0], true)).reduce((a, b) => add(a, b));
      const total = matmul(hidden, row, { transposeB: true });
      return bias ? add(total, reshape(sum(bias, [0]), [1, 1])) : total;
    },
  };
}

/** The same from logits [tokens, vocabulary] that are there. */
export function scoresOf(logits: Value, labels: Value): LabelScores {
  const rows = labels.shape[0]!;
  return {
    logPartition: logSumExp(logits),
    labelLogit: gatherElements(logits, reshape(labels, [rows, 1])),
    allLogits: () => sum(logits, [1], true),
  };
}
