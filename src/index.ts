/**
 * simple-seq2seq: train, evaluate and run sequence-to-sequence transformers.
 *
 * @example
 * const model = await Seq2SeqModel.load({ encoderDecoderType: 'bart', encoderDecoderName: './bart-base' });
 * await model.trainModel('train.tsv', { outputDir: 'outputs' });
 * const answers = await model.predict(['a text']);
 */

// Options
export { defaultArgs, parseArgs, type Seq2SeqArgs, type Seq2SeqArgsInput } from './args/index.js';
// Data
export type { ArrowTableLike, RowData, RowInput, Tokenizers } from './data/index.js';
// The engine underneath
export { describeEngine, type EngineDescription } from './engine/index.js';
// Errors
export { Seq2SeqError } from './errors.js';
// Generation
export type { LogitsProcessor } from './generation/index.js';
// Metrics of generated texts
export {
  bleu,
  cer,
  chrf,
  exactMatch,
  type MetricFunction,
  type Metrics,
  per,
  rouge1,
  rouge2,
  rougeL,
  rougeLsum,
  wer,
} from './metrics/index.js';
// The model
export {
  type Answer,
  type AnyTexts,
  type EvalOptions,
  type EvalResult,
  type LoadOptions,
  type Prediction,
  type PredictOptions,
  Seq2SeqModel,
  type TextPiece,
  type TrainOptions,
} from './seq2seq-model.js';
// Tokenizers
export {
  type ByteLevelBpeOptions,
  bartVocabulary,
  createByteLevelBpe,
  createWordPiece,
  loadTokenizer,
  type Merge,
  type NewSpecialTokens,
  type Tokenizer,
  type TokenizerTrainingOptions,
  trainableTypes,
  trainTokenizer,
  type WordPieceOptions,
} from './tokenizers/index.js';
// Training
export type {
  EvaluationLogEntry,
  TrainingCallbacks,
  TrainingLogEntry,
  TrainingResult,
  TrainingStep,
} from './training/index.js';
