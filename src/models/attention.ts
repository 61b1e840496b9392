import {
  add,
  concat,
  type Dim,
  input,
  matmul,
  packRows,
  product,
  reshape,
  selectRows,
  softmax,
  transpose,
  unpackRows,
  type Value,
  writeRows,
} from '../graph/index.js';
import type { Builder } from './builder.js';
import {
  causalBiases,
  groupSuffix,
  type PackedLayout,
  type Rectangle,
  type RectanglePlaces,
  sourceBias,
} from './packing.js';

/** Rows [tokens, heads·size] as [batch, heads, length, size], as far as the rectangle has them. */
export function splitHeads(x: Value, heads: number, { batch, length, places }: Rectangle): Value {
  const size = (x.shape[1] as number) / heads;
  return transpose(reshape(spread(x, places), [batch, length, heads, size]), [0, 2, 1, 3]);
}

function spread(rows: Value, places: RectanglePlaces | undefined): Value {
  if (!places) return rows;
  const { padIndex, packIndex, isOnly } = places;
  return isOnly ? unpackRows(rows, padIndex, packIndex) : selectRows(rows, padIndex, packIndex);
}

/** [batch, heads, length, size] as rows [tokens, heads·size], zero where the rectangle has none; undoes {@link splitHeads}. */
function mergeHeads(x: Value, { places }: Rectangle): Value {
  const [batch, heads, length, size] = x.shape as [Dim, number, Dim, number];
  const rows = reshape(transpose(x, [0, 2, 1, 3]), [product([batch, length]), heads * size]);
  if (!places) return rows;
  const { padIndex, packIndex, isOnly } = places;
  return isOnly ? packRows(rows, packIndex, padIndex) : selectRows(rows, packIndex, padIndex);
}

/** Queries, keys and values as rows [tokens, heads·size]. */
export interface Projections {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
}

/**
 * Attention of packed queries over packed keys, as rows: in each rectangle on its own, since a sequence's keys lie where its
 * queries do.
 */
export function packedAttention(
  m: Builder,
  { heads, dropout }: AttentionShape,
  { q, k, v }: Projections,
  biases: readonly Value[],
  queries: PackedLayout,
  keys: PackedLayout = queries,
): Value {
  const { rectangles } = queries;
  const parts = rectangles.map((rectangle, group) => {
    const over = keys.rectangles[group]!;
    const [qh, kh, vh] = [splitHeads(q, heads, rectangle), splitHeads(k, heads, over), splitHeads(v, heads, over)];
    const site = `attention_dropout${groupSuffix(group, rectangles.length)}`;
    return mergeHeads(scaledDotProductAttention(m, qh, kh, vh, biases[group]!, { rate: dropout, site }), rectangle);
  });
  return parts.reduce((a, b) => add(a, b));
}

/** softmax(q·kᵀ/√size + bias)·v over [batch, heads, length, size], with dropout on the probabilities. */
function scaledDotProductAttention(
  m: Builder,
  q: Value,
  k: Value,
  v: Value,
  bias: Value,
  dropout?: { readonly rate: number; readonly site: string },
): Value {
  const scale = 1 / Math.sqrt(q.shape[3] as number);
  const scores = add(matmul(q, k, { transposeB: true, scale }), bias);
  const weights = softmax(scores);
  return matmul(dropout ? m.dropout(weights, dropout.rate, dropout.site) : weights, v);
}

/** Where a decoder's attention finds earlier positions and the encoder's output: in the batch itself, or in a cache. */
export interface DecoderAttention {
  /** q, k, v as rows [tokens, heads·size] of this call's positions; the attended values as rows. */
  self(m: Builder, layer: number, q: Value, k: Value, v: Value): Value;
  /** q as rows; keys and values of the encoder's output are projected on first use or come from the cache. */
  cross(m: Builder, layer: number, q: Value, project: () => { k: Value; v: Value }): Value;
}

export interface AttentionShape {
  readonly heads: number;
  readonly dropout: number;
}

/** Attention over whole packed targets, as in training: a position sees itself and what is before it. */
export function packedDecoderAttention(
  shape: AttentionShape,
  source: { readonly layout: PackedLayout; readonly biases: readonly Value[] },
  target: PackedLayout,
): DecoderAttention {
  const causal = causalBiases(target);
  return {
    self: (m, _, q, k, v) => packedAttention(m, shape, { q, k, v }, causal, target),
    cross: (m, _, q, project) => packedAttention(m, shape, { q, ...project() }, source.biases, target, source.layout),
  };
}

/**
 * Attention over keys and values that are handed in and out: `past` [batch, heads, earlier, size] of this side, to which this
 * call's positions are appended, and `cross` of the source. Rows are those of a rectangle.
 */
export function appendingDecoderAttention(
  { heads }: AttentionShape,
  rectangle: Rectangle,
  {
    past,
    cross,
    biases,
    onPresent,
  }: {
    readonly past: (layer: number) => { readonly k: Value; readonly v: Value };
    readonly cross: (layer: number) => { readonly k: Value; readonly v: Value };
    readonly biases: { readonly self: Value; readonly source: Value };
    /** Takes what a layer's cache is afterwards. */
    readonly onPresent: (layer: number, present: { readonly k: Value; readonly v: Value }) => void;
  },
): DecoderAttention {
  const split = (x: Value) => splitHeads(x, heads, rectangle);
  return {
    self(m, layer, q, k, v) {
      const earlier = past(layer);
      const present = { k: concat([earlier.k, split(k)], 2), v: concat([earlier.v, split(v)], 2) };
      onPresent(layer, present);
      return mergeHeads(scaledDotProductAttention(m, split(q), present.k, present.v, biases.self), rectangle);
    },
    cross(m, layer, q) {
      const { k, v } = cross(layer);
      return mergeHeads(scaledDotProductAttention(m, split(q), k, v, biases.source), rectangle);
    },
  };
}

/** What one decoding step writes back: the caches of every layer, in place. */
export interface StepCaches {
  readonly attention: DecoderAttention;
  /** `self.keys.0` … → the cache with this step's rows written. */
  readonly outputs: Record<string, Value>;
}

/**
 * Attention of one decoding step. Rows are [batch·beams]; beams are the length axis of the query. The self-attention cache
 * [batch, heads, positions, beams·size] holds every beam of every earlier position in a slot of its own and is never
 * reordered: `step.bias` [batch, 1, beams, positions·beams] says which slots are a beam's ancestors. `step.placeIndex` says
 * where this position goes; all beams of a head are written as one, since each entry of it has its cost.
 * Cross-attention keys are kept once for all beams.
 */
export function cachedDecoderAttention({ heads }: AttentionShape, size: number): StepCaches {
  const allBeams = product(['beams', size]);
  const cacheShape = ['batch', heads, 'positions', allBeams];
  const slots = product(['positions', 'beams']);
  const crossShape = ['batch', heads, 'sourceLength', size];
  const bias = input('step.bias', 'float32', ['batch', 1, 'beams', slots]);
  const placeIndex = input('step.placeIndex', 'int64', ['batch', heads, 3]);
  const padding = sourceBias();
  const outputs: Record<string, Value> = {};
  const split = (x: Value) => transpose(reshape(x, ['batch', 'beams', heads, size]), [0, 2, 1, 3]);
  const merge = (x: Value) => reshape(transpose(x, [0, 2, 1, 3]), ['batch*beams', heads * size]);
  const write = (name: string, rows: Value) => {
    const written = writeRows(
      input(name, 'float32', cacheShape),
      placeIndex,
      reshape(rows, ['batch', heads, allBeams]),
    );
    outputs[`${name}.written`] = written;
    return reshape(written, ['batch', heads, slots, size]);
  };
  return {
    outputs,
    attention: {
      self(m, layer, q, k, v) {
        const keys = write(`self.keys.${layer}`, split(k));
        const values = write(`self.values.${layer}`, split(v));
        return merge(scaledDotProductAttention(m, split(q), keys, values, bias));
      },
      cross(m, layer, q) {
        const keys = input(`cross.keys.${layer}`, 'float32', crossShape);
        const values = input(`cross.values.${layer}`, 'float32', crossShape);
        return merge(scaledDotProductAttention(m, split(q), keys, values, padding));
      },
    },
  };
}
