import { fail } from '../errors.js';
import { type DimSizes, evaluate as evaluateDim, formatShape, isSymbol } from './dims.js';
import type { DType } from './dtype.js';
import { type Blocks, type Node, type NodeOf, nodesOf, type OpName, type Value } from './node.js';

/**
 * What every operation means, as formulas over indices in float64: slow, small, and read at a glance. It is for tests only:
 * gradients are held against its finite differences, and lowered graphs against its values.
 */

/** A tensor of any element type; truth is 1 and 0. Row-major. */
export interface NdArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export type Feeds = Readonly<Record<string, NdArray>>;

type Index = readonly number[];
/** An output by its elements: y[index]. */
type Element = (index: Index) => number;

/** The values of `outputs`. Symbols are bound by the shapes of `feeds`; `sizes` adds those that no input shows. */
export function evaluate<Name extends string>(
  outputs: Readonly<Record<Name, Value>>,
  feeds: Feeds,
  sizes: DimSizes = new Map(),
): Record<Name, NdArray> {
  const nodes = nodesOf(Object.values<Value>(outputs));
  const known = bindSymbols(nodes, feeds, sizes);
  const arrays = new Map<Value, NdArray>();
  for (const node of nodes) {
    const inputs = node.inputs.map((value) => arrays.get(value)!);
    const shapes = node.outputs.map(({ shape }) =>
      shape.map((dim) => evaluateDim(dim, known) ?? fail('graph', `evaluate: nothing shows the size of ${dim}.`)),
    );
    const meaning = meanings[node.op] as Meaning<OpName>;
    const elements = meaning(node as never, inputs as unknown as Operands, shapes[0]!, feeds);
    for (const [k, value] of node.outputs.entries()) {
      arrays.set(
        value,
        fill(shapes[k]!, (i) => stored[value.dtype](elements[k]!(i))),
      );
    }
  }
  const entries = Object.entries<Value>(outputs).map(([name, value]) => [name, arrays.get(value)!]);
  return Object.fromEntries(entries) as Record<Name, NdArray>;
}

function bindSymbols(nodes: readonly Node[], feeds: Feeds, given: DimSizes): DimSizes {
  const sizes = new Map(given);
  const fed = nodes.flatMap((node) =>
    node.op === 'input' || node.op === 'parameter'
      ? [{ name: node.attributes.name, type: node.outputs[0]!, shape: feedOf(feeds, node.attributes.name).shape }]
      : [],
  );
  for (const { type, shape } of fed) {
    for (const [axis, dim] of type.shape.entries()) {
      if (isSymbol(dim) && !sizes.has(dim) && shape[axis] !== undefined) sizes.set(dim, shape[axis]);
    }
  }
  for (const { name, type, shape } of fed) {
    if (shape.length !== type.shape.length || type.shape.some((dim, axis) => evaluateDim(dim, sizes) !== shape[axis])) {
      fail('graph', `evaluate: "${name}" is ${formatShape(type.shape)}, but ${formatShape(shape)} was fed.`);
    }
  }
  return sizes;
}

const feedOf = (feeds: Feeds, name: string): NdArray => feeds[name] ?? fail('graph', `evaluate: "${name}" is not fed.`);

/** What is left of a number when it is held as an element of each type. */
const stored: { readonly [K in DType]: (x: number) => number } = {
  float32: (x) => x,
  int32: Math.trunc,
  int64: Math.trunc,
  uint8: (x) => Math.trunc(x) & 255,
  bool: (x) => Number(x !== 0),
};

// Arrays and indices

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const mean = (values: readonly number[]): number => total(values) / values.length;

/** Every index of a shape, row-major. */
function indices(shape: readonly number[]): Index[] {
  return shape.reduce<Index[]>((prefixes, size) => prefixes.flatMap((i) => range(size).map((k) => [...i, k])), [[]]);
}

export function fill(shape: readonly number[], element: Element): NdArray {
  return { shape, data: Float64Array.from(indices(shape), element) };
}

const offsetOf = (index: Index, shape: readonly number[]): number =>
  shape.reduce((offset, size, axis) => offset * size + index[axis]!, 0);

/** x[index] under NumPy's broadcasting: leading indices that x lacks are dropped, an axis of size 1 repeats. */
function at(x: NdArray, index: Index): number {
  const own = x.shape.map((size, axis) => (size === 1 ? 0 : index[index.length - x.shape.length + axis]!));
  if (own.some((k, axis) => !(k >= 0 && k < x.shape[axis]!))) {
    fail('graph', `evaluate: [${index}] lies outside ${formatShape(x.shape)}.`);
  }
  return x.data[offsetOf(own, x.shape)]!;
}

/** x[…, :], the row along the last axis that `index` lies in. */
const rowOf = (x: NdArray, index: Index): number[] => range(x.shape.at(-1)!).map((k) => at(x, index.with(-1, k)));

// The rules

/** As many as the operation takes. */
type Operands = readonly [NdArray, NdArray, NdArray];
type Meaning<K extends OpName> = (
  node: NodeOf<K>,
  inputs: Operands,
  shape: readonly number[],
  feeds: Feeds,
) => readonly Element[];
type Meanings = { readonly [K in OpName]: Meaning<K> };

const elementwise =
  (f: (a: number, b: number, c: number) => number) =>
  (_: Node, inputs: Operands): Element[] => [(i) => f(...(inputs.map((x) => at(x, i)) as [number, number, number]))];

const reduction =
  (f: (values: number[]) => number) =>
  ({ attributes: { axes, keepDims } }: NodeOf<'sum' | 'max'>, [x]: Operands): Element[] => {
    const within = indices(axes.map((axis) => x.shape[axis]!));
    return [
      (i) => {
        const rest = [...i];
        const whole = x.shape.map((_, axis) => (keepDims ? i[axis]! : axes.includes(axis) ? 0 : rest.shift()!));
        return f(
          within.map((j) =>
            at(
              x,
              axes.reduce((index, axis, k) => index.with(axis, j[k]!), whole),
            ),
          ),
        );
      },
    ];
  };

/** log Σ exp, with the largest exponent taken out. */
function logSumExp(values: readonly number[]): number {
  const peak = Math.max(...values);
  return peak + Math.log(total(values.map((x) => Math.exp(x - peak))));
}

/** 2/√π · e^(−x²) · Σ 2ⁿ·x^(2n+1) / (1·3·5·…·(2n+1)): all terms have one sign, so no digits are lost. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let series = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(series); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    series += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * series;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** x·Wᵀ + b */
const dequantize =
  ({ bits, size }: Blocks, { data, shape }: NdArray, scales: NdArray) =>
  (row: number, column: number): number => {
    const place = (row * (data.length / shape[0]!) * 8) / bits + column;
    const byte = data[Math.floor((place * bits) / 8)]!;
    const value = bits === 8 ? byte : place % 2 === 0 ? byte & 15 : byte >> 4;
    return (value - 2 ** (bits - 1)) * at(scales, [row, Math.floor(column / size)]);
  };

const projection =
  ([x, weight, bias]: Operands): Element =>
  ([row, column]) =>
    total(range(x.shape[1]!).map((k) => at(x, [row!, k]) * at(weight, [column!, k]))) +
    (bias ? at(bias, [column!]) : 0);

const meanings: Meanings = {
  input: ({ attributes: { name } }, _, __, feeds) => [(i) => at(feedOf(feeds, name), i)],
  parameter: ({ attributes: { name } }, _, __, feeds) => [(i) => at(feedOf(feeds, name), i)],
  parameterRows: ({ attributes: { name, start } }, _, __, feeds) => [
    ([row, ...rest]) => at(feedOf(feeds, name), [start + row!, ...rest]),
  ],
  constant: ({ attributes: { data } }, _, shape) => [(i) => data[offsetOf(i, shape)]!],
  range: () => [([i]) => i!],

  add: elementwise((a, b) => a + b),
  subtract: elementwise((a, b) => a - b),
  multiply: elementwise((a, b) => a * b),
  divide: elementwise((a, b) => a / b),
  negate: elementwise((x) => -x),
  exp: elementwise(Math.exp),
  log: elementwise(Math.log),
  sqrt: elementwise(Math.sqrt),
  erf: elementwise(erf),
  tanh: elementwise(Math.tanh),
  sigmoid: elementwise(sigmoid),
  relu: elementwise((x) => Math.max(x, 0)),
  gelu: elementwise((x) => (x * (1 + erf(x / Math.SQRT2))) / 2),
  silu: elementwise((x) => x * sigmoid(x)),
  greater: elementwise((a, b) => Number(a > b)),
  where: elementwise((condition, a, b) => (condition ? a : b)),
  cast: elementwise((x) => x),
  dropout: ({ attributes: { rate } }, [x, mask]) => [(i) => (at(x, i) * at(mask, i)) / (1 - rate)],

  reshape: (_, [x], shape) => [(i) => x.data[offsetOf(i, shape)]!],
  transpose: ({ attributes: { permutation } }, [x]) => [
    (i) =>
      at(
        x,
        permutation.map((_, axis) => i[permutation.indexOf(axis)]!),
      ),
  ],
  broadcast: (_, [x]) => [(i) => at(x, i)],
  concat: ({ attributes: { axis } }, inputs) => [
    (i) => {
      const starts = inputs.map((_, n) => total(inputs.slice(0, n).map(({ shape }) => shape[axis]!)));
      const source = starts.findLastIndex((start) => start <= i[axis]!);
      return at(inputs[source]!, i.with(axis, i[axis]! - starts[source]!));
    },
  ],
  slice: ({ attributes: { axis, start } }, [x]) => [(i) => at(x, i.with(axis, start + i[axis]!))],

  sum: reduction(total),
  max: reduction((values) => Math.max(...values)),
  topK: (_, [x]) => {
    const ranked = (i: Index) =>
      rowOf(x, i)
        .map((value, k) => ({ value, k }))
        .sort((a, b) => b.value - a.value || a.k - b.k)[i.at(-1)!]!;
    return [(i) => ranked(i).value, (i) => ranked(i).k];
  },

  matmul: ({ attributes: { transposeA, transposeB, scale } }, [a, b]) => [
    (i) => {
      const [batch, [row, column]] = [i.slice(0, -2), i.slice(-2) as [number, number]];
      const products = range(a.shape.at(transposeA ? -2 : -1)!).map(
        (k) =>
          at(a, [...batch, ...(transposeA ? [k, row] : [row, k])]) *
          at(b, [...batch, ...(transposeB ? [column, k] : [k, column])]),
      );
      return scale * total(products);
    },
  ],
  linear: (_, inputs) => [projection(inputs)],
  // The engine rounds x as well, which is left out here.
  quantizedLinear({ attributes }, operands: readonly NdArray[]) {
    const [x, values, scales, bias] = operands as [NdArray, NdArray, NdArray, NdArray?];
    const weight = dequantize(attributes, values, scales);
    return [
      ([row, column]) => {
        const products = range(x.shape[1]!).map((k) => at(x, [row!, k]) * weight(column!, k));
        return total(products) + (bias ? at(bias, [column!]) : 0);
      },
    ];
  },

  softmax: (_, [x]) => [(i) => Math.exp(at(x, i) - logSumExp(rowOf(x, i)))],
  logSumExp: (_, [x]) => [(i) => logSumExp(rowOf(x, i))],
  logSoftmax: (_, [x]) => [(i) => at(x, i) - logSumExp(rowOf(x, i))],
  layerNorm: ({ attributes: { epsilon } }, [x, weight, bias]) => {
    const mu: Element = (i) => mean(rowOf(x, i));
    const inverseStd: Element = (i) => 1 / Math.sqrt(mean(rowOf(x, i).map((v) => (v - mu(i)) ** 2)) + epsilon);
    return [(i) => (at(x, i) - mu(i)) * inverseStd(i) * at(weight, i) + at(bias, i), mu, inverseStd];
  },
  linearLogSumExp: (_, inputs) => {
    const [x, weight] = inputs;
    const logits = fill([x.shape[0]!, weight.shape[0]!], projection(inputs));
    return [(i) => logSumExp(rowOf(logits, i)), (i) => Math.exp(at(logits, i) - logSumExp(rowOf(logits, i)))];
  },

  quantizedGather: ({ attributes }, [values, scales, ids]) => {
    const rank = ids.shape.length;
    return [(i) => dequantize(attributes, values, scales)(at(ids, i.slice(0, rank)), i[rank]!)];
  },
  gather: (_, [table, ids]) => {
    const rank = ids.shape.length;
    return [(i) => at(table, [at(ids, i.slice(0, rank)), ...i.slice(rank)])];
  },
  gatherElements: (_, [x, ids]) => [(i) => at(x, i.with(-1, at(ids, i)))],
  unpackRows: (_, [x, padIndex]) => [
    ([slot, ...rest]) => {
      const row = at(padIndex, [slot!]);
      return row === x.shape[0] ? 0 : at(x, [row, ...rest]);
    },
  ],
  selectRows: (_, [x, index]) => [
    ([slot, ...rest]) => {
      const row = at(index, [slot!]);
      return row === x.shape[0] ? 0 : at(x, [row, ...rest]);
    },
  ],
  packRows: (_, [x, packIndex]) => [([row, ...rest]) => at(x, [at(packIndex, [row!]), ...rest])],
  writeRows: (_, [cache, index, rows]) => {
    const result = Float64Array.from(cache.data);
    const depth = index.shape.length - 1;
    for (const i of indices(rows.shape)) {
      const tuple = rowOf(index, [...i.slice(0, depth), 0]);
      result[offsetOf([...tuple, ...i.slice(depth)], cache.shape)] = at(rows, i);
    }
    return [(i) => result[offsetOf(i, cache.shape)]!];
  },
};
