export { byteAlphabet, fromByteAlphabet, toByteAlphabet } from './byte-alphabet.js';
export {
  type ByteLevelBpeOptions,
  type ByteLevelFamily,
  bartVocabulary,
  createByteLevelBpe,
} from './byte-level-bpe.js';
export type { Merge } from './byte-pair-encoder.js';
export { loadTokenizer, tokenizerFamilies } from './load.js';
export { marianJson } from './marian-json.js';
export { strip } from './python-cuts.js';
export { directorySource, memorySource, type TokenizerLoadOptions, type TokenizerSource } from './source.js';
export { TextStream } from './text-stream.js';
export type {
  DecodeOptions,
  EncodeOptions,
  EncodingThreads,
  NewSpecialTokens,
  PackedTokens,
  SpecialTokenIds,
  Tokenizer,
} from './tokenizer.js';
export {
  resolveTrainingOptions,
  type Texts,
  type TokenizerTrainingOptions,
  type TokenizerType,
  trainableTypes,
  trainTokenizer,
} from './training/index.js';
export { createWordPiece, type WordPieceFamily, type WordPieceOptions } from './wordpiece.js';
export { DecoderPool } from './workers/index.js';
