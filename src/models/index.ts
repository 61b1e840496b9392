/** Architectures: forward passes over packed rows, and what the rest of the package needs to know of each. */
import { fail } from '../errors.js';
import type { Seq2SeqArchitecture } from './architecture.js';
import { bart } from './bart.js';
import type { JsonObject } from './config.js';

export type { DecoderInput, EncoderInput, ModelPart, Seq2SeqArchitecture, TaughtTarget } from './architecture.js';
export { cachedDecoderAttention, packedDecoderAttention, splitHeads } from './attention.js';
export { disposeAll, feedTensors, resolveShape, weightInputs, weightRowsTensor, weightTensor } from './binding.js';
export { Builder, type DropoutSite, type Initialization, type ParameterSpec } from './builder.js';
export type { JsonObject } from './config.js';
export { type LossGraph, lossGraph } from './loss.js';
export { type Feeds, MASKED, packedInput, packSource, packTarget, sourceBias } from './packing.js';
export { ModelWeights, PLANES } from './weights.js';

/** By `model_type` of config.json. */
const architectures: Readonly<Record<string, (config: JsonObject, type: string) => Seq2SeqArchitecture>> = { bart };

/** The types that users name, by the `model_type` of config.json where they differ from it. */
const typesOf: Readonly<Record<string, (config: JsonObject) => readonly string[]>> = {
  mbart: () => ['mbart', 'mbart50'],
  'encoder-decoder': ({ encoder }) => [String((encoder as JsonObject | undefined)?.model_type)],
};

/**
 * The architecture a config.json describes.
 * @param type what the user takes it for; by default what the config says
 * @param place the config's, for errors
 */
export function architectureOf(config: JsonObject, type?: string, place = 'config.json'): Seq2SeqArchitecture {
  if (config.model_type === undefined)
    fail(place, '"model_type" is missing. Add it, for example "model_type": "bart".');
  const modelType = String(config.model_type);
  const create = Object.hasOwn(architectures, modelType) ? architectures[modelType] : undefined;
  if (!create) {
    const known = Object.keys(architectures).join(', ');
    fail(place, `model_type "${modelType}" is not supported; supported are: ${known}.`);
  }
  const fitting = typesOf[modelType]?.(config) ?? [modelType];
  if (type !== undefined && !fitting.includes(type)) {
    fail('model', `${place} describes a ${fitting.join(' or ')}, not a ${type}. Give ${fitting[0]} as its type.`);
  }
  return create(config, type ?? fitting[0]!);
}
