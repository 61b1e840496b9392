export { byteAlphabet, fromByteAlphabet, toByteAlphabet } from './byte-alphabet.js';
export { type ByteLevelBpeOptions, bartVocabulary, createByteLevelBpe } from './byte-level-bpe.js';
export type { Merge } from './byte-pair-encoder.js';
export { loadTokenizer } from './load.js';
export type { DecodeOptions, EncodeOptions, SpecialTokenIds, Tokenizer } from './tokenizer.js';
export {
  resolveTrainingOptions,
  type Texts,
  type TokenizerTrainingOptions,
  type TokenizerType,
  trainableTypes,
  trainTokenizer,
} from './training/index.js';
