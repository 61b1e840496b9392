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
export { PrecompiledNormalizer } from './precompiled-normalizer.js';
