import type { Seq2SeqArgsInput, TokenizerTrainingOptions } from '../../src/index.js';

/** The model, and the rows as files where they are asked for. */
export const OUTPUT = 'outputs/dates';

export const SIZES = { train: 16_000, test: 1000 };

/** Few enough tokens that years are spelled by their parts: `neunzehn`, `hundert`, `sieben`, `und`, `achtzig`. */
export const tokenizer: TokenizerTrainingOptions = { type: 'unigram', modelType: 'marian', vocabSize: 160 };

/** A Marian's config.json; sizes of the vocabulary and ids of special tokens are the tokenizer's. */
export const config = {
  d_model: 128,
  encoder_layers: 2,
  decoder_layers: 2,
  encoder_attention_heads: 4,
  decoder_attention_heads: 4,
  encoder_ffn_dim: 512,
  decoder_ffn_dim: 512,
  activation_function: 'swish',
  scale_embedding: true,
  // With this many rows there is nothing to overfit yet.
  dropout: 0,
  max_position_embeddings: 64,
  // 1/√width, of which `scale_embedding` makes embeddings of size 1, as large as the positions added to them.
  init_std: 0.088,
};

export const args: Seq2SeqArgsInput = {
  manualSeed: 1,
  numTrainEpochs: 2,
  trainBatchSize: 64,
  learningRate: 1e-3,
  warmupRatio: 0.1,
  maxSeqLength: 64,
  maxLength: 64,
  numBeams: 1,
  evalBatchSize: 128,
  overwriteOutputDir: true,
  saveModelEveryEpoch: false,
  saveSteps: -1,
};
