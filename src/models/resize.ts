import { Random } from '../data/index.js';
import { fail } from '../errors.js';
import type { ParameterSpec } from './builder.js';
import { fillNormal, ModelWeights } from './weights.js';

// What Transformers' resize_token_embeddings does with the arrays that have an entry for each token. Ends are cut off. Added
// entries are drawn closely around the mean of those there are, so that a new token is as likely as others are on average
// (Hewitt 2021, https://nlp.stanford.edu/~johnhew/vocab-expansion.html).

/** Of the covariance of old rows, the share that added rows have. */
const rowVariance = 1e-9;
/** Of the standard deviation of a bias, the share that added elements have. */
const biasDeviation = 1e-9;
/** Added rows drawn at a time: their sums stay in the processor's cache while old rows pass by. */
const rowsAtOnce = 8;

/**
 * The same model with another number of tokens: every array of `to` has its counterpart in `from`, of the same shape or with
 * more or fewer rows (embeddings, head), elements (the head's bias) or columns (`final_logits_bias` [1, tokens]). Both are in
 * memory until the caller lets go of `from`. The same seed gives the same additions.
 */
export function resizeWeights(from: ModelWeights, to: Iterable<ParameterSpec>, seed: number): ModelWeights {
  const resized = new ModelWeights(to);
  for (const [stream, spec] of [...resized.specs.values()].entries()) {
    const old = from.specs.get(spec.name) ?? fail('model', `there is no weight "${spec.name}" to be resized.`);
    const axis = resizedAxis(old, spec);
    const kept = from.array(spec.name);
    const array = resized.array(spec.name);
    array.set(kept.subarray(0, array.length));
    if (array.length <= kept.length) continue;
    const added = array.subarray(kept.length);
    const random = new Random(seed, stream);
    if (axis === 0 && spec.shape.length === 2) addRows(kept, added, spec.shape[1]!, random);
    // Transformers fills the bias of a head whose weight is an embedding's, and so resized already, with zeros.
    else if (axis === 0 && hasOwnWeight(spec, from, resized)) addElements(kept, added, random);
  }
  return resized;
}

/** The axis along which the shapes differ, if they do; no axis before it has elements to be moved. */
function resizedAxis(from: ParameterSpec, to: ParameterSpec): number | undefined {
  const sameRank = from.shape.length === to.shape.length;
  const differing = to.shape.flatMap((size, axis) => (size === from.shape[axis] ? [] : [axis]));
  if (sameRank && differing.length === 0) return undefined;
  const axis = differing[0] ?? 0;
  const leading = to.shape.slice(0, axis);
  if (!sameRank || to.shape.length > 2 || differing.length > 1 || leading.some((size) => size !== 1)) {
    fail(
      'model',
      `${to.name} is [${from.shape.join(', ')}] and cannot become [${to.shape.join(', ')}]: only the number of tokens can ` +
        'change. Take a config that agrees with the weights in everything else.',
    );
  }
  return axis;
}

/** Whether the module of a bias, or one inside it, has a weight that was resized with it. */
function hasOwnWeight({ name, shape }: ParameterSpec, from: ModelWeights, to: ModelWeights): boolean {
  const module = name.slice(0, name.lastIndexOf('.') + 1);
  const wasResized = (each: ParameterSpec) =>
    each.shape[0] === shape[0] && from.specs.get(each.name)?.shape[0] !== shape[0];
  return [...to.specs.values()].some(
    (each) => each.name.startsWith(module) && each.shape.length === 2 && wasResized(each),
  );
}

/**
 * Rows from N(μ, 1e-9·Σ), where μ and Σ are mean and covariance of the n old rows X: μ + √(1e-9/n)·(X − μ)ᵀz with z from
 * N(0, I). Where Σ is singular for having too few rows, as Transformers: μ.
 */
function addRows(old: Float32Array, added: Float32Array, width: number, random: Random): void {
  const rows = old.length / width;
  if (rows === 0) return;
  const mean = new Float64Array(width);
  for (let i = 0; i < old.length; i += width) for (let k = 0; k < width; k++) mean[k]! += old[i + k]!;
  for (let k = 0; k < width; k++) mean[k]! /= rows;

  const std = rows > width ? Math.sqrt(rowVariance / rows) : 0;
  const block = new Float64Array(rowsAtOnce * width);
  const factors = new Float64Array(rowsAtOnce);
  const centred = new Float64Array(width);
  for (let start = 0; start < added.length; start += block.length) {
    const sums = block.subarray(0, added.length - start).fill(0);
    for (let i = 0; std > 0 && i < old.length; i += width) {
      for (let k = 0; k < width; k++) centred[k] = old[i + k]! - mean[k]!;
      fillNormal(factors, random, std);
      for (let row = 0; row * width < sums.length; row++) addScaled(sums, row * width, centred, factors[row]!);
    }
    for (let i = 0; i < sums.length; i++) added[start + i] = mean[i % width]! + sums[i]!;
  }
}

function addScaled(sums: Float64Array, start: number, values: Float64Array, factor: number): void {
  for (let k = 0; k < values.length; k++) sums[start + k]! += factor * values[k]!;
}

/** Elements from N(μ, (1e-9·σ)²), μ and σ (with n − 1) of the old ones. */
function addElements(old: Float32Array, added: Float32Array, random: Random): void {
  if (old.length === 0) return;
  const mean = old.reduce((sum, value) => sum + value, 0) / old.length;
  const squares = old.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const drawn = new Float64Array(added.length);
  fillNormal(drawn, random, biasDeviation * Math.sqrt(squares / Math.max(1, old.length - 1)));
  for (let i = 0; i < added.length; i++) added[i] = mean + drawn[i]!;
}
