import { fail } from '../errors.js';
import { type Dim, formatShape, type Shape } from './dims.js';
import type { DType } from './dtype.js';

/**
 * The closed set of operations, each with its attributes. Every rule about an operation (its output types, its gradient,
 * its ONNX form) is a table with exactly these keys, so a new operation does not compile until all its rules exist.
 */
export interface OpAttributes {
  // Leaves
  /** A value fed at every run. */
  input: { name: string };
  /** A trainable or frozen weight, fed from the parameter store. */
  parameter: { name: string };
  /** Rows `start … start+count` of a weight, fed as a view of the same memory: no copy is made. */
  parameterRows: { name: string; start: number; count: number };
  constant: { data: readonly number[] };
  /** 0 … length − 1, int32. */
  range: { length: Dim };

  // Elementwise
  add: None;
  subtract: None;
  multiply: None;
  divide: None;
  negate: None;
  exp: None;
  log: None;
  sqrt: None;
  erf: None;
  tanh: None;
  sigmoid: None;
  relu: None;
  /** x·Φ(x), with the exact normal distribution function. */
  gelu: None;
  /** x·σ(x), also called swish. */
  silu: None;
  greater: None;
  /** (condition, a, b): a where the condition holds, else b. */
  where: None;
  cast: { to: DType };
  /** (x, mask): x·mask/(1−rate); the mask holds 1 for kept and 0 for dropped elements. */
  dropout: { rate: number };

  // Shape
  reshape: { shape: Shape };
  transpose: { permutation: readonly number[] };
  broadcast: { shape: Shape };
  concat: { axis: number };
  slice: { axis: number; start: number; end: number };

  // Reduction
  sum: { axes: readonly number[]; keepDims: boolean };
  max: { axes: readonly number[]; keepDims: boolean };
  /** Along the last axis. Outputs: values in descending order, their indices (int64). */
  topK: { k: number };

  // Products
  /** scale · op(A) · op(B) over the last two axes. */
  matmul: { transposeA: boolean; transposeB: boolean; scale: number };
  /** (x [n, in], weight [out, in], bias [out]?): x·Wᵀ + b. */
  linear: None;
  /** (x [n, in], values, scales, bias [out]?): x·Wᵀ + b with W [out, in] as {@link Blocks}; x is rounded to 8 bits, block by block. */
  quantizedLinear: Blocks;

  // Normalisation
  /** Over the last axis. */
  softmax: None;
  /** Over the last axis. */
  logSoftmax: None;
  /** log Σ exp over the last axis, which stays with size 1. */
  logSumExp: None;
  /** (x, weight, bias) over the last axis. Outputs: y, mean, 1/σ. */
  layerNorm: { epsilon: number };
  /** (x [n, in], weight [v, in], bias [v]?). Outputs: log Σ exp(x·Wᵀ + b) [n, 1] and the softmax [n, v]. */
  linearLogSumExp: None;

  // Rows
  /** (table [rows, …], ids): the rows named by ids. */
  gather: None;
  /** (values, scales, ids): the rows named by ids of a {@link Blocks} matrix, as numbers. */
  quantizedGather: Blocks;
  /** (x, indices) along the last axis: y[i, j] = x[i, indices[i, j]]. */
  gatherElements: None;
  /**
   * (x [tokens, …], padIndex, packIndex): packed rows spread over a rectangle [padIndex.length, …]. Row i comes from
   * x[padIndex[i]]; a padIndex equal to `tokens` marks padding, whose row is zero.
   */
  unpackRows: None;
  /** (x [rectangle, …], packIndex, padIndex): the rectangle's real rows, x[packIndex]. The inverse of unpackRows. */
  packRows: None;
  /**
   * (x [n, …], index [m], inverse [n]): row i is x[index[i]], or zero where index[i] = n. No row is taken twice; `inverse` says
   * for each row of x where it went, or m. What several rectangles need, of which each has a part of the rows.
   */
  selectRows: None;
  /**
   * (cache, index [..., r], rows): the cache with rows written at the index tuples. When the program's output for it is
   * fed the cache's own memory, only the rows are written.
   */
  writeRows: None;
}

/**
 * A matrix [rows, columns] in blocks of `size` neighbours: values uint8 [rows, columns·bits/8], for products as
 * [rows, columns/size, size·bits/8], of 4 bits the first of two in the low half, and scales float32 [rows, columns/size]. The
 * number is (value − 2^(bits−1)) · scale.
 */
export interface Blocks {
  readonly bits: 4 | 8;
  readonly size: number;
}

export type OpName = keyof OpAttributes;
export type None = Record<never, never>;

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** An operation applied to values. Graphs have no container: a graph is the set of nodes its outputs reach. */
export interface NodeOf<K extends OpName> {
  readonly op: K;
  readonly attributes: OpAttributes[K];
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Creation order: inputs always have smaller numbers, so sorting by it is a topological order. */
  readonly id: number;
  /** The part of the model being built, for messages: `encoder.layers.0`. */
  readonly scope: string;
}
export type Node = { [K in OpName]: NodeOf<K> }[OpName];

/** One output of a node. */
export interface Value extends TensorType {
  readonly node: Node;
  readonly index: number;
}

let created = 0;
const scopes: string[] = [];

/** Runs `build` with `name` added to the scope that errors and nodes carry. */
export function within<T>(name: string, build: () => T): T {
  scopes.push(name);
  try {
    return build();
  } finally {
    scopes.pop();
  }
}

export function currentScope(): string {
  return scopes.join('.');
}

/** Creates a node whose output types are already known. */
export function createNode<K extends OpName>(
  op: K,
  attributes: OpAttributes[K],
  inputs: readonly Value[],
  outputs: readonly TensorType[],
): Value[] {
  const values: Value[] = [];
  const node = { op, attributes, inputs, outputs: values, id: created++, scope: currentScope() } as unknown as Node;
  for (const [index, type] of outputs.entries()) values.push({ node, index, dtype: type.dtype, shape: type.shape });
  return values;
}

/** All nodes the outputs reach, inputs before users. */
export function nodesOf(outputs: Iterable<Value>): Node[] {
  const reached = new Set<Node>();
  const pending = [...outputs].map((value) => value.node);
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (reached.has(node)) continue;
    reached.add(node);
    for (const input of node.inputs) pending.push(input.node);
  }
  return [...reached].sort((a, b) => a.id - b.id);
}

export function formatType(type: TensorType): string {
  return `${type.dtype}${formatShape(type.shape)}`;
}

/** Refuses the operation being built: names it, its inputs' types and the part of the model. */
export function refuse(op: OpName, inputs: readonly TensorType[], problem: string): never {
  const place = currentScope();
  return fail('graph', `${op}(${inputs.map(formatType).join(', ')})${place && ` in ${place}`}: ${problem}`);
}

export function lastDim(shape: Shape): Dim {
  return shape[shape.length - 1] ?? 1;
}
