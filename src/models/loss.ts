import {
  add,
  concat,
  gather,
  input,
  linearLogSumExp,
  logSumExp,
  matmul,
  multiply,
  parameterRows,
  reshape,
  slice,
  subtract,
  sum,
  type Value,
} from '../graph/index.js';
import type { Seq2SeqArchitecture } from './architecture.js';
import { packedDecoderAttention } from './attention.js';
import { Builder, type BuilderOptions, type DropoutSite } from './builder.js';
import { packedInput, sourceInput } from './packing.js';

/**
 * Rows of the vocabulary projected at a time. A piece of the weight, its logits and its gradient then stay small enough for
 * the matrix products to run at full speed, and the gradient of each piece lands in its own part of the weight's gradient.
 */
const VOCABULARY_CHUNK = 4096;

/**
 * Cross-entropy of the vocabulary projection, Σ weight·(log Σ exp(logits) − logit of the label), as a scalar.
 * The logits of the whole vocabulary never exist at once. With label smoothing ε the label's logit gives the share ε to the
 * mean of all logits, (1−ε)·logit + ε·mean, as Transformers' LabelSmoother; being linear, that mean is the hidden state times
 * the mean row of the weight.
 *
 * @param hidden [tokens, size] the decoder's output
 * @param labels [tokens] int32
 * @param weights [tokens, 1] the share of each token in the loss, 1/tokens for their mean
 */
function crossEntropy(
  m: Builder,
  { head, vocabSize }: Seq2SeqArchitecture,
  hidden: Value,
  labels: Value,
  weights: Value,
  smoothing: number,
): Value {
  const weight = m.parameter(head.weight);
  const biasName = head.bias !== undefined && !m.isZero(head.bias) ? head.bias : undefined;
  const bias = biasName === undefined ? undefined : reshape(m.parameter(biasName), [vocabSize]);

  const partitions: Value[] = [];
  const rowSums: Value[] = [];
  for (let start = 0; start < vocabSize; start += VOCABULARY_CHUNK) {
    const count = Math.min(VOCABULARY_CHUNK, vocabSize - start);
    const rows = count === vocabSize ? weight : parameterRows(weight, start, count);
    partitions.push(linearLogSumExp(hidden, rows, bias && slice(bias, 0, start, start + count)));
    if (smoothing > 0) rowSums.push(sum(rows, [0], true));
  }
  const logPartition = partitions.length === 1 ? partitions[0]! : logSumExp(concat(partitions, 1));
  const labelLogit = sum(multiply(hidden, gather(weight, labels)), [1], true);
  const biased = bias ? add(labelLogit, reshape(gather(bias, labels), labelLogit.shape)) : labelLogit;
  const taught =
    smoothing > 0 ? add(multiply(biased, 1 - smoothing), multiply(allLogits(), smoothing / vocabSize)) : biased;
  return reshape(sum(multiply(subtract(logPartition, taught), weights), [0, 1]), []);

  /** [tokens, 1] the sum of all logits. */
  function allLogits(): Value {
    const row = rowSums.reduce((a, b) => add(a, b));
    const total = matmul(hidden, row, { transposeB: true });
    return bias ? add(total, reshape(sum(bias, [0]), [1, 1])) : total;
  }
}

/** The loss of a batch as a graph, with what a program of it needs to be fed and may be asked for. */
export interface LossGraph {
  /** Scalar: Σ over tokens of weight·cross-entropy. */
  readonly loss: Value;
  readonly trainable: readonly Value[];
  readonly dropoutSites: readonly DropoutSite[];
}

export interface LossOptions extends Omit<BuilderOptions, 'parameters'> {
  /** Share of the label that is spread over the vocabulary. */
  readonly labelSmoothing?: number | undefined;
  /** Rectangles that attention works over: groups of sequences in the batch. */
  readonly groups?: number;
}

/**
 * From token ids to the loss. Inputs: those of `packSource` and `packTarget` (the decoder's input ids), `labels` and
 * `labelWeights`; with `training` also the masks of `dropoutSites`.
 */
export function lossGraph(
  architecture: Seq2SeqArchitecture,
  { labelSmoothing = 0, groups = 1, ...options }: LossOptions,
): LossGraph {
  const m = Builder.create({ parameters: architecture.parameters, ...options });
  const source = sourceInput(groups);
  const target = packedInput('target', groups);
  const encoded = architecture.encoder(m, source);
  const attention = packedDecoderAttention(architecture.decoderAttention, source, target.layout);
  const hidden = architecture.decoder(m, { ids: target.ids, positions: target.positions, attention, encoded });
  const labels = input('labels', 'int32', ['targetTokens']);
  const weights = input('labelWeights', 'float32', ['targetTokens', 1]);
  const loss = crossEntropy(m, architecture, hidden, labels, weights, labelSmoothing);
  return { loss, trainable: m.trainable, dropoutSites: m.dropoutSites };
}
