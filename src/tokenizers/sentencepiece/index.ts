export { buildDoubleArray, type DoubleArray, NONE, ROOT } from './double-array.js';
export {
  type ModelType,
  type NormalizerSpec,
  type PieceType,
  parseSentencePiece,
  SENTENCE_PIECE_DEFAULTS,
  type SentencePiece,
  type SentencePieceFile,
  type SpecialPiece,
  serializeSentencePiece,
} from './file.js';
export { SentencePieceModel } from './model.js';
export { Normalizer } from './normalizer.js';
export { PrecompiledNormalizer } from './precompiled-normalizer.js';
