import { fail } from './errors.js';
import type { JsonObject } from './models/index.js';

/** Under this name config.json says that a model's matrices are kept in few bits, for readers that cannot know it. */
const METHOD = 'simple-seq2seq';

export type Bits = 4 | 8;

/** `quantization_config` of a config.json. */
export function quantizationConfig(bits: Bits): JsonObject {
  return { quant_method: METHOD, bits };
}

/** The bits in which a checkpoint keeps its matrices, by its config or those of its halves; undefined: all of them. */
export function quantizedBits(config: JsonObject): Bits | undefined {
  const [found] = [config, config.encoder, config.decoder].flatMap((each) => {
    const { quantization_config: quantization } = (each ?? {}) as JsonObject;
    return quantization == null ? [] : [quantization as JsonObject];
  });
  if (found === undefined) return undefined;
  const { quant_method: method, bits } = found;
  if (method !== METHOD) {
    fail(
      'config.json',
      `the model is quantized by ${String(method)}, which is not supported. Use the model as it was before, and \`seq2seq quantize\`.`,
    );
  }
  if (bits !== 4 && bits !== 8) fail('config.json', `quantization_config.bits is ${String(bits)}; it must be 4 or 8.`);
  return bits;
}

/** A config of a model that is not quantized. */
export function withoutQuantization(config: JsonObject): JsonObject {
  const { quantization_config: _, ...rest } = config;
  return rest;
}
