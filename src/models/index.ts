/** Architectures: forward passes over packed rows, and what the rest of the package needs to know of each. */
import { fail } from '../errors.js';
import { modelTypes } from '../model-types.js';
import type { Seq2SeqArchitecture } from './architecture.js';
import { bart } from './bart.js';
import type { JsonObject } from './config.js';
import { encoderDecoder } from './encoder-decoder.js';
import { marian } from './marian.js';
import { mbart } from './mbart.js';
import { rag } from './rag.js';

export type {
  DecoderInput,
  EncoderInput,
  ModelPart,
  RagKind,
  Retrieval,
  Seq2SeqArchitecture,
  TaughtTarget,
} from './architecture.js';
export { appendingDecoderAttention, cachedDecoderAttention, packedDecoderAttention, splitHeads } from './attention.js';
export { disposeAll, feedTensors, resolveShape, weightInputs, weightRowsTensor, weightTensor } from './binding.js';
export { blockShapes, QUANTIZED, type StoredMatrix } from './blocks.js';
export { Builder, type DropoutSite, type Initialization, type ParameterSpec } from './builder.js';
export { ConfigReader, type JsonObject } from './config.js';
export { type DprEncoder, type DprSide, dprEncoder, dprSides } from './dpr.js';
export { vocabularyLogits } from './head.js';
export { type LossGraph, type LossOptions, lossGraph } from './loss.js';
export {
  type Feeds,
  groupSuffix,
  MASKED,
  packedInput,
  packSource,
  packTarget,
  packTexts,
  sourceInput,
  textInput,
} from './packing.js';
export { dequantizeWeights, quantizedMatrices, quantizeWeights } from './quantized.js';
export { documentLogProbabilities, ragAnswerScores } from './rag-loss.js';
export { type DocumentSequence, packLabels } from './rag-packing.js';
export { resizeWeights } from './resize.js';
export { fillNormal, ModelWeights, PLANES } from './weights.js';

/** By `model_type` of config.json. */
const architectures: Readonly<Record<string, (config: JsonObject, type: string) => Seq2SeqArchitecture>> = {
  bart,
  'encoder-decoder': encoderDecoder,
  marian,
  mbart,
  rag,
};

/** The types that a config.json of this `model_type` may be taken for. */
function fittingTypes(config: JsonObject): string[] {
  const cases = Object.entries(modelTypes).filter(([, modelType]) => modelType === config.model_type);
  const { model_type: encoder } = (config.encoder ?? {}) as JsonObject;
  return cases.map(([type]) => type).filter((type) => encoder === undefined || type === encoder);
}

/**
 * The architecture a config.json describes.
 * @param type what the user takes it for; by default what the config says
 * @param place the config's, for errors
 */
export function architectureOf(config: JsonObject, type?: string, place = 'config.json'): Seq2SeqArchitecture {
  if (config.model_type === undefined)
    fail('config.json', `${place} has no "model_type". Add it, for example "model_type": "bart".`);
  const modelType = String(config.model_type);
  const create = Object.hasOwn(architectures, modelType) ? architectures[modelType] : undefined;
  if (!create) {
    if (Object.hasOwn(modelTypes, modelType)) {
      fail(
        'model',
        `${place} holds a ${modelType}, which is an encoder alone. Give it as encoderName, with encoderType ${modelType} and a decoderName.`,
      );
    }
    const known = Object.keys(modelTypes).join(', ');
    fail('config.json', `model_type "${modelType}" of ${place} is not supported; supported are: ${known}.`);
  }
  const fitting = fittingTypes(config);
  if (type !== undefined && !fitting.includes(type)) {
    fail(
      'model',
      `${place} holds a ${fitting.join(' or ') || modelType}, not a ${type}. Give ${fitting[0] ?? 'another model'} as its type.`,
    );
  }
  return create(config, type ?? fitting[0] ?? modelType);
}
