import { add, input, multiply, reshape, subtract, sum, type Value } from '../graph/index.js';
import type { Retrieval, Seq2SeqArchitecture } from './architecture.js';
import { packedDecoderAttention } from './attention.js';
import { Builder, type BuilderOptions, type DropoutSite } from './builder.js';
import { labelScores } from './label-scores.js';
import { packedInput, sourceInput } from './packing.js';
import { ragLoss } from './rag-loss.js';

/**
 * Cross-entropy of the vocabulary projection, Σ weight·(log Σ exp(logits) − logit of the label), as a scalar.
 * With label smoothing ε the label's logit gives the share ε to the mean of all logits, (1−ε)·logit + ε·mean, as
 * Transformers' LabelSmoother.
 *
 * @param weights [tokens, 1] the share of each token in the loss, 1/tokens for their mean
 */
function crossEntropy(
  m: Builder,
  architecture: Seq2SeqArchitecture,
  hidden: Value,
  labels: Value,
  weights: Value,
  smoothing: number,
): Value {
  const { logPartition, labelLogit, allLogits } = labelScores(m, architecture, hidden, labels);
  const taught =
    smoothing > 0
      ? add(multiply(labelLogit, 1 - smoothing), multiply(allLogits(), smoothing / architecture.vocabSize))
      : labelLogit;
  return reshape(sum(multiply(subtract(logPartition, taught), weights), [0, 1]), []);
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
 * `labelWeights`; with `training` also the masks of `dropoutSites`. A model that retrieves has those of `ragLoss`, and `share` [1, 1], which multiplies the sum over its questions.
 */
export function lossGraph(architecture: Seq2SeqArchitecture, options: LossOptions): LossGraph {
  const { retrieval } = architecture;
  return retrieval ? ragLossGraph(architecture, retrieval, options) : plainLossGraph(architecture, options);
}

function plainLossGraph(
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

function ragLossGraph(
  architecture: Seq2SeqArchitecture,
  retrieval: Retrieval,
  { labelSmoothing = 0, groups = 1, ...options }: LossOptions,
): LossGraph {
  const m = Builder.create({ parameters: architecture.parameters, ...options });
  const smoothing = labelSmoothing || retrieval.labelSmoothing;
  const each = ragLoss(m, architecture, retrieval, { groups, smoothing });
  const share = input('share', 'float32', [1, 1]);
  const loss = reshape(multiply(sum(each, [0], true), share), []);
  return { loss, trainable: m.trainable, dropoutSites: m.dropoutSites };
}
