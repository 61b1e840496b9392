import type { Blocks } from '../graph/index.js';
import { input } from '../graph/index.js';
import type { Seq2SeqArchitecture } from './architecture.js';
import { cachedDecoderAttention } from './attention.js';
import { blocksFor, dequantize, quantize, type StoredMatrix } from './blocks.js';
import { Builder } from './builder.js';
import { vocabularyLogits } from './head.js';
import { sourceInput } from './packing.js';
import { ModelWeights } from './weights.js';

/**
 * The matrices that a model in `bits` bits keeps so: those that it multiplies by, and tables of tokens. Norms, biases,
 * positions, and matrices whose rows do not divide into blocks, stay as they are.
 */
export function quantizedMatrices(
  architecture: Seq2SeqArchitecture,
  bits: Blocks['bits'],
): Map<string, { readonly shape: readonly [number, number]; readonly blocks: Blocks }> {
  const shapes = new Map(architecture.parameters.map(({ name, shape }) => [name, shape]));
  const found = new Map<string, { shape: readonly [number, number]; blocks: Blocks }>();
  for (const name of matrixNames(architecture)) {
    const [rows, columns] = shapes.get(name) as [number, number];
    const blocks = blocksFor(columns, bits);
    if (blocks) found.set(name, { shape: [rows, columns], blocks });
  }
  return found;
}

/** Found by building what generation runs. */
function matrixNames(architecture: Seq2SeqArchitecture): string[] {
  const m = Builder.create({ parameters: architecture.parameters, training: false });
  const { decoderAttention, layers } = architecture;
  const encoded = architecture.encoder(m, sourceInput());
  for (let layer = 0; layer < layers; layer++) architecture.crossAttention(m, layer, encoded);
  const { attention } = cachedDecoderAttention(decoderAttention, decoderAttention.headSize);
  const rows = (name: string) => input(name, 'int32', ['batch*beams']);
  vocabularyLogits(
    m,
    architecture,
    architecture.decoder(m, { ids: rows('ids'), positions: rows('positions'), attention }),
  );
  return m.matrixNames;
}

/** The same model with its matrices rounded to few bits. Both are in memory until the caller lets go of `weights`. */
export function quantizeWeights(
  architecture: Seq2SeqArchitecture,
  weights: ModelWeights,
  bits: Blocks['bits'],
): ModelWeights {
  const quantized = new Map<string, StoredMatrix>();
  for (const [name, { shape, blocks }] of quantizedMatrices(architecture, bits)) {
    quantized.set(name, quantize(weights.array(name), shape, blocks));
  }
  const rounded = new ModelWeights(weights.specs.values(), quantized);
  for (const name of weights.specs.keys()) if (!quantized.has(name)) rounded.array(name).set(weights.array(name));
  return rounded;
}

/** The rounded numbers as a model of full size. */
export function dequantizeWeights(weights: ModelWeights): ModelWeights {
  const whole = new ModelWeights(weights.specs.values());
  for (const name of weights.specs.keys()) {
    const matrix = weights.quantized.get(name);
    if (matrix) dequantize(matrix, whole.array(name));
    else whole.array(name).set(weights.array(name));
  }
  return whole;
}
