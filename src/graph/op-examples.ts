import { Random } from '../data/index.js';
import {
  add,
  broadcast,
  cast,
  concat,
  constant,
  divide,
  dropout,
  erf,
  exp,
  gather,
  gatherElements,
  gelu,
  greater,
  input,
  layerNorm,
  linear,
  linearLogSumExp,
  log,
  logSoftmax,
  logSumExp,
  matmul,
  max,
  multiply,
  negate,
  outputsOf,
  packRows,
  parameter,
  parameterRows,
  type QuantizedMatrix,
  quantizedGather,
  quantizedLinear,
  range,
  relu,
  reshape,
  selectRows,
  sigmoid,
  silu,
  slice,
  softmax,
  sqrt,
  subtract,
  sum,
  tanh,
  topK,
  transpose,
  unpackRows,
  where,
  writeRows,
} from './build.js';
import { type DimSizes, evaluate as evaluateDim, product, type Shape } from './dims.js';
import type { DType } from './dtype.js';
import { type Feeds, fill } from './interpret.js';
import type { Blocks, OpName, Value } from './node.js';

/**
 * Small graphs around every operation, for tests only: the gradients are held against finite differences on them, and what
 * the engine computes against the interpreter. An operation without examples does not compile.
 */
export interface OpExample {
  readonly operands: readonly Operand[];
  readonly apply: (...operands: Value[]) => Value;
  /** False where no gradient flows through the operation. */
  readonly differentiable: boolean;
}

interface Operand {
  readonly dtype: DType;
  readonly shape: Shape;
  /** Weights have numeric shapes; other float32 operands can stand for a weight or for an input. */
  readonly isWeight: boolean;
  /** Element number i of a tensor, with the sizes of this run. */
  readonly element: (i: number, sizes: { n: number; m: number }, random: Random) => number;
}

/** The symbols of all examples, as two runs bind them; m−n = 2. */
export const EXAMPLE_SIZES: readonly DimSizes[] = [
  new Map(Object.entries({ n: 4, m: 6 })),
  new Map(Object.entries({ n: 7, m: 9 })),
];

/** ±[0.1, 1.5): kinks at zero stay out of the reach of finite differences. */
export function awayFromZero(random: Random): number {
  return (random.below(2) === 0 ? -1 : 1) * (0.1 + 1.4 * random.next());
}

/**
 * The graph of an example: all outputs of its last operation. With `sizes` its operands have numbers for shapes, and the
 * float32 ones are weights.
 */
export function buildExample(
  { operands, apply }: OpExample,
  sizes?: DimSizes,
): { outputs: readonly Value[]; weights: readonly Value[] } {
  const leaves = operands.map(({ dtype, shape, isWeight }, i) => {
    const name = `x${i}`;
    if (!sizes && !isWeight) return input(name, dtype, shape);
    const numeric = shape.map((dim) => evaluateDim(dim, sizes ?? new Map())!);
    return dtype === 'float32' ? parameter(name, numeric) : input(name, dtype, numeric);
  });
  return { outputs: outputsOf(apply(...leaves)), weights: leaves.filter(({ node }) => node.op === 'parameter') };
}

export function feedExample({ operands }: OpExample, sizes: DimSizes): Feeds {
  const random = new Random(operands.length);
  const symbols = { n: sizes.get('n')!, m: sizes.get('m')! };
  return Object.fromEntries(
    operands.map(({ shape, element }, position) => {
      let i = 0;
      return [
        `x${position}`,
        fill(
          shape.map((dim) => evaluateDim(dim, sizes)!),
          () => element(i++, symbols, random),
        ),
      ];
    }),
  );
}

function float(shape: Shape, isWeight = false): Operand {
  return { dtype: 'float32', shape, isWeight, element: (_, __, random) => awayFromZero(random) };
}
const weight = (...shape: number[]): Operand => float(shape, true);

/** Integers of [0, below). */
const integers = (dtype: DType, shape: Shape, below: number): Operand => ({
  dtype,
  shape,
  isWeight: false,
  element: (_, __, random) => random.below(below),
});

/** n rows stand at slots 0, 1, 2, 4, 5, 6, 8 … of m; the others are padding. */
const slotOf = (row: number) => row + Math.floor(row / 3);
const packIndex: Operand = { dtype: 'int32', shape: ['n'], isWeight: false, element: slotOf };
const padIndex: Operand = {
  dtype: 'int32',
  shape: ['m'],
  isWeight: false,
  element: (slot, { n }) => {
    const row = slot - Math.floor(slot / 4);
    return row < n && slotOf(row) === slot ? row : n;
  },
};

/** Of n rows all but the last ones go to the even slots of m; the others stay empty. */
const someIndex: Operand = {
  dtype: 'int32',
  shape: ['m'],
  isWeight: false,
  element: (slot, { n }) => (slot % 2 === 0 && slot / 2 < n - 1 ? slot / 2 : n),
};
const someInverse: Operand = {
  dtype: 'int32',
  shape: ['n'],
  isWeight: false,
  element: (row, { n, m }) => (row < n - 1 && 2 * row < m ? 2 * row : m),
};

/** Tuples of the numbers 3, 0, 1, 2, so that no slot is named twice. */
const slots = (shape: Shape): Operand => ({ ...integers('int64', shape, 4), element: (i) => (i + 3) % 4 });

/** An example's operation and its operands; a bare shape is a float32 tensor. */
function of(apply: OpExample['apply'], ...operands: readonly (Operand | Shape)[]): OpExample {
  const isShape = (operand: Operand | Shape): operand is Shape => Array.isArray(operand);
  return {
    apply,
    operands: operands.map((operand) => (isShape(operand) ? float(operand) : operand)),
    differentiable: true,
  };
}

const withoutGradient = (...example: Parameters<typeof of>): OpExample => ({
  ...of(...example),
  differentiable: false,
});

const positive = (x: Value) => add(multiply(x, x), 0.5);
const unary = (apply: (x: Value) => Value) => [of(apply, ['n', 3]), of(apply, [])];
/** Numbers that 8 bits hold exactly, where their largest is 1. */
function roundable(shape: Shape): Operand {
  const element = (i: number) => (i % 16 === 0 ? 127 : ((i * 53) % 255) - 127) / 127;
  return { dtype: 'float32', shape, isWeight: false, element };
}

/** A matrix in blocks, whose values have this shape, with another operand. */
function quantized(
  values: readonly number[],
  blocks: Blocks,
  operand: Operand,
  apply: (matrix: QuantizedMatrix, operand: Value) => Value,
): OpExample {
  const columns = (8 * values.slice(1).reduce((a, b) => a * b, 1)) / blocks.bits;
  const scales = {
    ...float([values[0]!, columns / blocks.size]),
    element: (_: number, __: unknown, random: Random) => 0.01 + random.next(),
  };
  return {
    operands: [integers('uint8', values, 256), scales, operand],
    apply: (bytes, scale, other) => apply({ blocks, values: bytes!, scales: scale! }, other!),
    differentiable: false,
  };
}

/** Equal shapes, and broadcasting of either side, of both, and of a scalar. */
const binary = (apply: (a: Value, b: Value) => Value) => [
  of(apply, ['n', 3], ['n', 3]),
  of(apply, ['n', 2, 3], [3]),
  of(apply, [2, 1], ['n', 1, 3]),
  of(apply, [1, 'n'], ['m', 1]),
  of(apply, [], ['n']),
];
const statisticsOf = (x: Value, w: Value, b: Value) => layerNorm(x, w, b, 1e-5);

export const opExamples: { readonly [K in OpName]: readonly OpExample[] } = {
  input: [of(negate, ['n'])],
  parameter: [of((w) => multiply(w, 2), weight(2, 3))],
  parameterRows: [
    of((w) => tanh(parameterRows(w, 1, 2)), weight(4, 3)),
    of((w) => multiply(parameterRows(w, 0, 2), parameterRows(w, 2, 2)), weight(4, 3)),
    of((w) => multiply(parameterRows(w, 1, 2), parameterRows(w, 1, 2)), weight(4, 3)),
  ],
  range: [
    of((x) => multiply(x, cast(range(x.shape[0]!), 'float32')), ['n']),
    of((x) => multiply(reshape(x, [product(x.shape)]), cast(range(product(x.shape)), 'float32')), [2, 'n']),
  ],
  constant: [
    of((x) => multiply(x, constant([1, -2, 3])), ['n', 3]),
    of((x) => add(constant([1, 2], 'float32', [2, 1]), x), ['n']),
  ],

  add: binary(add),
  subtract: binary(subtract),
  multiply: binary(multiply),
  divide: binary((a, b) => divide(a, positive(b))),
  negate: unary(negate),
  exp: unary(exp),
  log: unary((x) => log(positive(x))),
  sqrt: unary((x) => sqrt(positive(x))),
  erf: unary(erf),
  tanh: unary(tanh),
  sigmoid: unary(sigmoid),
  relu: unary(relu),
  gelu: unary(gelu),
  silu: unary(silu),
  greater: [
    withoutGradient(greater, ['n', 3], [3]),
    withoutGradient(greater, integers('int32', ['n'], 4), integers('int32', ['n'], 4)),
    withoutGradient((x) => greater(x, 0.5), ['n']),
  ],
  where: [
    of(where, integers('bool', ['n', 3], 2), ['n', 3], ['n', 3]),
    of(where, integers('bool', ['n', 1], 2), [3], ['n', 1]),
    of((c, x) => where(c, x, -1), integers('bool', [2, 1, 1], 2), ['n', 3]),
    of((x) => where(greater(x, 0), 2, x), ['n']),
  ],
  cast: [
    withoutGradient((x) => cast(multiply(x, 3), 'int32'), ['n', 3]),
    withoutGradient((x) => cast(x, 'float32'), integers('int64', ['n'], 9)),
    withoutGradient((x) => cast(x, 'float32'), integers('bool', ['n'], 2)),
    withoutGradient((x) => cast(x, 'int64'), integers('int32', ['n'], 9)),
    withoutGradient((x) => cast(x, 'bool'), integers('uint8', ['n'], 2)),
    withoutGradient((x) => cast(x, 'uint8'), integers('int32', ['n'], 9)),
  ],
  dropout: [
    of((x, mask) => dropout(x, mask, 0.25), ['n', 3], integers('uint8', ['n', 3], 2)),
    of((x, mask) => dropout(x, mask, 0), ['n'], integers('uint8', ['n'], 2)),
  ],

  reshape: [
    of((x) => reshape(x, [2, product([x.shape[0]!, 3])]), ['n', 6]),
    of((x) => reshape(x, [product(x.shape)]), ['n', 'm', 2]),
    of((x) => reshape(x, []), [1, 1]),
    withoutGradient((x) => reshape(x, [x.shape[0]!, 3, 2]), integers('int32', ['n', 6], 9)),
  ],
  transpose: [
    of((x) => transpose(x, [1, 0]), ['n', 3]),
    of((x) => transpose(x, [2, 0, 1]), ['n', 'm', 2]),
    of((x) => transpose(x, [0, 2, 1, 3]), [2, 'n', 2, 3]),
  ],
  broadcast: [
    of((x) => broadcast(x, [2, ...x.shape]), ['n', 3]),
    of((x) => broadcast(x, [2, x.shape[0]!, 3]), ['n', 1]),
    of((x) => broadcast(x, [2, 3]), []),
  ],
  concat: [
    of((a, b) => concat([a, b, a], 1), ['n', 1], ['n', 3]),
    of((a, b) => concat([a, b], 0), ['n', 2], ['m', 2]),
    of((a, b) => concat([a, b], 2), [2, 'n', 1], [2, 'n', 3]),
  ],
  slice: [
    of((x) => slice(x, 0, 0, 2), ['n', 3]),
    of((x) => slice(x, 1, 1, 3), ['n', 4]),
    of((x) => slice(x, 1, 2, 4), [2, 4, 'n']),
    of((x) => slice(x, 0, 0, 3), [3]),
  ],

  sum: [
    of((x) => sum(x, [0]), ['n', 3]),
    of((x) => sum(x, [0], true), ['n', 'm']),
    of((x) => sum(x, [-1]), ['n', 3]),
    of((x) => sum(x, [0, 2]), [2, 'n', 3]),
    of((x) => sum(x, [1, 2], true), [2, 'n', 3]),
    of((x) => sum(x, [0, 1]), ['n', 3]),
  ],
  max: [
    withoutGradient((x) => max(x, [0]), ['n', 3]),
    withoutGradient((x) => max(x, [-1], true), ['n', 3]),
    withoutGradient((x) => max(x, [0, 1]), ['n', 3]),
  ],
  topK: [withoutGradient((x) => topK(x, 3).values, ['n', 5]), withoutGradient((x) => topK(x, 1).values, [2, 2, 'n'])],

  matmul: [false, true].flatMap((transposeA) =>
    [false, true].flatMap((transposeB) => {
      const options = { transposeA, transposeB, scale: 0.7 };
      const [a, b]: [Shape, Shape] = [transposeA ? [3, 'n'] : ['n', 3], transposeB ? ['m', 3] : [3, 'm']];
      return [
        of((x, y) => matmul(x, y, options), a, b),
        of((x, y) => matmul(x, y, options), [2, ...a], [2, ...b]),
        of((x, y) => matmul(x, y, options), ['n', 2, ...a], ['n', 2, ...b]),
      ];
    }),
  ),
  quantizedLinear: [
    quantized([3, 2, 16], { bits: 8, size: 16 }, roundable(['n', 32]), (matrix, x) => quantizedLinear(x, matrix)),
    quantized([3, 2, 16], { bits: 4, size: 32 }, roundable(['n', 64]), (matrix, x) =>
      quantizedLinear(x, matrix, constant([1, -2, 3])),
    ),
  ],
  linear: [of(linear, ['n', 3], weight(2, 3)), of(linear, ['n', 3], weight(4, 3), weight(4))],

  softmax: [
    of(softmax, ['n', 3]),
    of(softmax, [2, 'n', 'm']),
    of(
      (x, hidden) => softmax(add(x, multiply(cast(hidden, 'float32'), -1e9))),
      ['n', 5],
      integers('bool', ['n', 5], 2),
    ),
  ],
  logSoftmax: [of(logSoftmax, ['n', 3]), of(logSoftmax, [2, 'n', 'm'])],
  logSumExp: [of(logSumExp, ['n', 3]), of((x) => logSumExp(multiply(x, 200)), [2, 'n', 'm'])],
  layerNorm: [
    of(statisticsOf, ['n', 6], weight(6), weight(6)),
    of(statisticsOf, [2, 'n', 4], weight(4), weight(4)),
    of(statisticsOf, [5], weight(5), weight(5)),
  ],
  linearLogSumExp: [
    of(linearLogSumExp, ['n', 3], weight(5, 3)),
    of(linearLogSumExp, ['n', 3], weight(5, 3), weight(5)),
    of((x, w) => linearLogSumExp(multiply(x, 50), w), ['n', 3], weight(5, 3)),
  ],

  gather: [
    of(gather, weight(3, 2), integers('int32', ['n'], 3)),
    of(gather, weight(3), integers('int64', ['n', 2], 3)),
    of((w, ids) => gather(parameterRows(w, 2, 3), ids), weight(6, 2), integers('int32', ['n'], 3)),
  ],
  quantizedGather: [
    quantized([5, 32], { bits: 8, size: 16 }, integers('int32', ['n'], 5), quantizedGather),
    quantized([5, 64], { bits: 4, size: 32 }, integers('int64', ['n', 2], 5), quantizedGather),
  ],
  gatherElements: [
    withoutGradient(gatherElements, ['n', 5], integers('int64', ['n', 2], 5)),
    withoutGradient(gatherElements, [2, 'n', 5], integers('int32', [2, 'n', 1], 5)),
  ],
  unpackRows: [of(unpackRows, ['n', 3], padIndex, packIndex), of(unpackRows, ['n', 2, 2], padIndex, packIndex)],
  packRows: [of(packRows, ['m', 3], packIndex, padIndex), of(packRows, ['m'], packIndex, padIndex)],
  selectRows: [of(selectRows, ['n', 3], someIndex, someInverse), of(selectRows, ['n', 2, 2], someIndex, someInverse)],
  writeRows: [
    withoutGradient(writeRows, [4, 'm', 2], slots([2, 2]), [2, 2]),
    withoutGradient(writeRows, ['m', 3], slots([2, 1]), [2, 3]),
  ],
};
