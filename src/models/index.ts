/** Architectures: forward passes over packed rows, and what the rest of the package needs to know of each. */
import { fail } from '../errors.js';
import type { Seq2SeqArchitecture } from './architecture.js';
import { bart } from './bart.js';
import type { JsonObject } from './config.js';

export type { DecoderInput, EncoderInput, Seq2SeqArchitecture } from './architecture.js';
export { cachedDecoderAttention, packedDecoderAttention, splitHeads } from './attention.js';
export { disposeAll, feedTensors, resolveShape, weightInputs, weightRowsTensor, weightTensor } from './binding.js';
export { Builder, type DropoutSite, type Initialization, type ParameterSpec } from './builder.js';
export type { JsonObject } from './config.js';
export { type LossGraph, lossGraph } from './loss.js';
export { type Feeds, MASKED, packedInput, packSource, packTarget, sourceBias } from './packing.js';
export { ModelWeights, PLANES } from './weights.js';

/** By `model_type` of config.json. */
const architectures: Readonly<Record<string, (config: JsonObject) => Seq2SeqArchitecture>> = { bart };

/** The architecture a config.json describes. */
export function architectureOf(config: JsonObject): Seq2SeqArchitecture {
  const modelType = config.model_type;
  if (modelType === undefined)
    fail('config.json', '"model_type" is missing. Add it, for example "model_type": "bart".');
  const create = architectures[String(modelType)];
  const known = Object.keys(architectures).join(', ');
  return create
    ? create(config)
    : fail('config.json', `model_type "${modelType}" is not supported; supported are: ${known}.`);
}
