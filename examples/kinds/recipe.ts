import type { Seq2SeqArgsInput } from '../../src/index.js';

/** What is fetched and what is trained, side by side. */
export const OUTPUT = 'outputs/kinds';

/** Definitions, each seen once: a few minutes on two cores. */
export const TRAINED_ON = 16_000;
/** Definitions, none of them among the others. */
export const TESTED_WITH = 500;

const noDropout = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };

/**
 * Of MiniLM's six layers the decoder has the first two. Its cross-attention starts from nothing, and the fewer layers stand
 * between it and the loss, the sooner it learns where to look. With one pass there is nothing to overfit yet, so no dropout.
 */
export const config = { encoder: noDropout, decoder: { ...noDropout, num_hidden_layers: 2 } };

export const args: Seq2SeqArgsInput = {
  manualSeed: 1,
  numTrainEpochs: 1,
  trainBatchSize: 16,
  learningRate: 2e-4,
  warmupRatio: 0.1,
  maxSeqLength: 40,
  maxLength: 32,
  numBeams: 1,
  evalBatchSize: 64,
  overwriteOutputDir: true,
  saveModelEveryEpoch: false,
  saveSteps: -1,
};
