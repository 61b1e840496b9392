import { canonicalShape, type Dim, formatShape, product, type Shape } from './dims.js';
import type { DType } from './dtype.js';
import { type Blocks, createNode, type OpAttributes, type OpName, refuse, type Value } from './node.js';
import { type Leaf, sameShape, typeRules } from './types.js';

type Operand = Value | number;

function apply<K extends Exclude<OpName, Leaf>>(op: K, attributes: OpAttributes[K], ...inputs: Value[]): Value[] {
  return createNode(op, attributes, inputs, typeRules[op](inputs, attributes));
}

function single<K extends Exclude<OpName, Leaf>>(op: K, attributes: OpAttributes[K], ...inputs: Value[]): Value {
  return apply(op, attributes, ...inputs)[0]!;
}

const asValue = (operand: Operand): Value => (typeof operand === 'number' ? constant(operand) : operand);

// Leaves

/** A value that is fed at every run. Dimensions may be symbols: `input('ids', 'int32', ['tokens'])`. */
export function input(name: string, dtype: DType, shape: Shape): Value {
  return createNode('input', { name }, [], [{ dtype, shape: canonicalShape(shape) }])[0]!;
}

/** A weight of the model. */
export function parameter(name: string, shape: readonly number[], dtype: DType = 'float32'): Value {
  return createNode('parameter', { name }, [], [{ dtype, shape }])[0]!;
}

/** Rows `start … start+count` of a weight, as a view that costs no copy. */
export function parameterRows(weight: Value, start: number, count: number): Value {
  const { node, shape } = weight;
  const rows = shape[0];
  if (node.op !== 'parameter' || typeof rows !== 'number' || start < 0 || count < 1 || start + count > rows) {
    return refuse('parameterRows', [weight], `rows ${start}:${start + count} of a weight are needed.`);
  }
  const type = { dtype: weight.dtype, shape: [count, ...shape.slice(1)] };
  return createNode('parameterRows', { name: node.attributes.name, start, count }, [], [type])[0]!;
}

export function constant(data: number | readonly number[], dtype: DType = 'float32', shape?: readonly number[]): Value {
  const values = typeof data === 'number' ? [data] : data;
  const dims = shape ?? (typeof data === 'number' ? [] : [values.length]);
  if (product(dims) !== values.length)
    refuse('constant', [], `${values.length} numbers do not fill ${formatShape(dims)}.`);
  return createNode('constant', { data: values }, [], [{ dtype, shape: dims }])[0]!;
}

/** 0 … length − 1, int32. */
export function range(length: Dim): Value {
  const [dim] = canonicalShape([length]) as [Dim];
  return createNode('range', { length: dim }, [], [{ dtype: 'int32', shape: [dim] }])[0]!;
}

// Elementwise; numbers are constants and shapes broadcast.

export const add = (a: Operand, b: Operand): Value => single('add', {}, asValue(a), asValue(b));
export const subtract = (a: Operand, b: Operand): Value => single('subtract', {}, asValue(a), asValue(b));
export const multiply = (a: Operand, b: Operand): Value => single('multiply', {}, asValue(a), asValue(b));
export const divide = (a: Operand, b: Operand): Value => single('divide', {}, asValue(a), asValue(b));
export const negate = (x: Value): Value => single('negate', {}, x);
export const exp = (x: Value): Value => single('exp', {}, x);
export const log = (x: Value): Value => single('log', {}, x);
export const sqrt = (x: Value): Value => single('sqrt', {}, x);
export const erf = (x: Value): Value => single('erf', {}, x);
export const tanh = (x: Value): Value => single('tanh', {}, x);
export const sigmoid = (x: Value): Value => single('sigmoid', {}, x);
export const relu = (x: Value): Value => single('relu', {}, x);
export const gelu = (x: Value): Value => single('gelu', {}, x);
export const silu = (x: Value): Value => single('silu', {}, x);
export const greater = (a: Operand, b: Operand): Value => single('greater', {}, asValue(a), asValue(b));
export const where = (condition: Value, a: Operand, b: Operand): Value =>
  single('where', {}, condition, asValue(a), asValue(b));
export const cast = (x: Value, to: DType): Value => (x.dtype === to ? x : single('cast', { to }, x));

/** x·mask/(1−rate): inverted dropout with a mask of zeros and ones (uint8) that the caller draws. */
export const dropout = (x: Value, mask: Value, rate: number): Value => single('dropout', { rate }, x, mask);

// Shape

export function reshape(x: Value, to: Shape): Value {
  const shape = canonicalShape(to);
  return sameShape(x.shape, shape) ? x : single('reshape', { shape }, x);
}
export const transpose = (x: Value, permutation: readonly number[]): Value => single('transpose', { permutation }, x);
export function broadcast(x: Value, to: Shape): Value {
  const shape = canonicalShape(to);
  return sameShape(x.shape, shape) ? x : single('broadcast', { shape }, x);
}
export const concat = (values: readonly Value[], axis: number): Value =>
  values.length === 1 ? values[0]! : single('concat', { axis }, ...values);
export const slice = (x: Value, axis: number, start: number, end: number): Value =>
  single('slice', { axis, start, end }, x);

// Reduction; negative axes count from the end.

const axesOf = (x: Value, axes: readonly number[]) => axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis));
export const sum = (x: Value, axes: readonly number[], keepDims = false): Value =>
  axes.length === 0 ? x : single('sum', { axes: axesOf(x, axes), keepDims }, x);
export const max = (x: Value, axes: readonly number[], keepDims = false): Value =>
  axes.length === 0 ? x : single('max', { axes: axesOf(x, axes), keepDims }, x);
/** The k largest along the last axis, in descending order, and their indices. */
export function topK(x: Value, k: number): { values: Value; indices: Value } {
  const [values, indices] = apply('topK', { k }, x);
  return { values: values!, indices: indices! };
}

// Products

export interface MatmulOptions {
  transposeA?: boolean;
  transposeB?: boolean;
  /** Multiplies the product; 1 by default. */
  scale?: number;
}
export const matmul = (a: Value, b: Value, options: MatmulOptions = {}): Value =>
  single('matmul', { transposeA: false, transposeB: false, scale: 1, ...options }, a, b);
/** x·Wᵀ + b, with the weight as PyTorch's Linear keeps it: [out, in]. */
export const linear = (x: Value, weight: Value, bias?: Value): Value =>
  single('linear', {}, x, weight, ...(bias ? [bias] : []));

/** A weight matrix in blocks of few bits. */
export interface QuantizedMatrix {
  readonly blocks: Blocks;
  readonly values: Value;
  readonly scales: Value;
}
export const quantizedLinear = (x: Value, { blocks, values, scales }: QuantizedMatrix, bias?: Value): Value =>
  single('quantizedLinear', blocks, x, values, scales, ...(bias ? [bias] : []));
export const quantizedGather = ({ blocks, values, scales }: QuantizedMatrix, ids: Value): Value =>
  single('quantizedGather', blocks, values, scales, ids);

// Normalisation, over the last axis

export const softmax = (x: Value): Value => single('softmax', {}, x);
export const logSoftmax = (x: Value): Value => single('logSoftmax', {}, x);
/** log Σ exp over the last axis, which stays with size 1. */
export const logSumExp = (x: Value): Value => single('logSumExp', {}, x);
export const layerNorm = (x: Value, weight: Value, bias: Value, epsilon: number): Value =>
  single('layerNorm', { epsilon }, x, weight, bias);
/** log Σ exp over the outputs of a linear layer, [n, 1]: the partition function of a vocabulary projection. */
export const linearLogSumExp = (x: Value, weight: Value, bias?: Value): Value =>
  single('linearLogSumExp', {}, x, weight, ...(bias ? [bias] : []));

// Rows

export const gather = (table: Value, ids: Value): Value => single('gather', {}, table, ids);
export const gatherElements = (x: Value, indices: Value): Value => single('gatherElements', {}, x, indices);
export const unpackRows = (x: Value, padIndex: Value, packIndex: Value): Value =>
  single('unpackRows', {}, x, padIndex, packIndex);
export const packRows = (x: Value, packIndex: Value, padIndex: Value): Value =>
  single('packRows', {}, x, packIndex, padIndex);
export const selectRows = (x: Value, index: Value, inverse: Value): Value =>
  single('selectRows', {}, x, index, inverse);
export const writeRows = (cache: Value, index: Value, rows: Value): Value =>
  single('writeRows', {}, cache, index, rows);

/** The outputs of `value`'s node: the further results of layerNorm, topK and linearLogSumExp. */
export const outputsOf = (value: Value): readonly Value[] => value.node.outputs;
