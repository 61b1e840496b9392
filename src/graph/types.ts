import { type Dim, product, type Shape, sum } from './dims.js';
import { type Blocks, lastDim, type OpAttributes, type OpName, refuse, type TensorType } from './node.js';

type TypeRule<K extends OpName> = (inputs: readonly TensorType[], attributes: OpAttributes[K]) => readonly TensorType[];

/** Leaves carry their type themselves; every other operation derives it from its inputs. */
export type Leaf = 'input' | 'parameter' | 'parameterRows' | 'constant' | 'range';
type TypeRules = { readonly [K in Exclude<OpName, Leaf>]: TypeRule<K> };

/** The shape two operands broadcast to, by NumPy's rule; undefined when they do not. */
export function broadcastShapes(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const result: Dim[] = [];
  for (let i = 1; i <= rank; i++) {
    const left = a[a.length - i] ?? 1;
    const right = b[b.length - i] ?? 1;
    if (left !== right && left !== 1 && right !== 1) return undefined;
    result.unshift(left === 1 ? right : left);
  }
  return result;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

const float = (shape: Shape): TensorType => ({ dtype: 'float32', shape });

function requireFloat(op: OpName, inputs: readonly TensorType[]): void {
  if (inputs.some((input) => input.dtype !== 'float32')) refuse(op, inputs, 'every operand must be float32.');
}

const isIndex = ({ dtype }: TensorType): boolean => dtype === 'int32' || dtype === 'int64';

const unary =
  (op: OpName): ((inputs: readonly TensorType[]) => TensorType[]) =>
  (inputs) => {
    requireFloat(op, inputs);
    return [float(inputs[0]!.shape)];
  };

const binary =
  (op: OpName): ((inputs: readonly TensorType[]) => TensorType[]) =>
  (inputs) => {
    const [a, b] = inputs as [TensorType, TensorType];
    if (a.dtype !== b.dtype) refuse(op, inputs, 'the operands have different element types.');
    const shape = broadcastShapes(a.shape, b.shape) ?? refuse(op, inputs, 'the shapes do not broadcast.');
    return [{ dtype: a.dtype, shape }];
  };

function reduced(op: 'sum' | 'max', inputs: readonly TensorType[], attributes: OpAttributes['sum']): TensorType[] {
  requireFloat(op, inputs);
  const { shape } = inputs[0]!;
  if (attributes.axes.some((axis) => axis < 0 || axis >= shape.length)) {
    refuse(op, inputs, `axes [${attributes.axes}] are outside rank ${shape.length}.`);
  }
  const dims = shape.map((dim, axis) => (attributes.axes.includes(axis) ? 1 : dim));
  return [float(attributes.keepDims ? dims : dims.filter((_, axis) => !attributes.axes.includes(axis)))];
}

/** (x [n, in], weight [out, in], bias [out]?) → [n, out] */
function projected(op: 'linear' | 'linearLogSumExp', inputs: readonly TensorType[]): Shape {
  requireFloat(op, inputs);
  const [x, weight, bias] = inputs as [TensorType, TensorType, TensorType?];
  if (x.shape.length !== 2 || weight.shape.length !== 2) refuse(op, inputs, 'x and weight must have rank 2.');
  if (x.shape[1] !== weight.shape[1])
    refuse(op, inputs, `x has ${x.shape[1]} features, the weight takes ${weight.shape[1]}.`);
  if (bias && !sameShape(bias.shape, [weight.shape[0]!])) refuse(op, inputs, `the bias must be [${weight.shape[0]}].`);
  return [x.shape[0]!, weight.shape[0]!];
}

/** The shape of the matrix that values and scales stand for. */
function dequantized(
  op: OpName,
  inputs: readonly TensorType[],
  values: TensorType,
  scales: TensorType,
  { bits, size }: Blocks,
): [rows: number, columns: number] {
  const [rows, ...rest] = values.shape;
  const bytes = product(rest);
  const isInBlocks = op === 'quantizedGather' ? rest.length === 1 : rest.length === 2 && rest[1] === (size * bits) / 8;
  if (values.dtype !== 'uint8' || typeof rows !== 'number' || typeof bytes !== 'number' || !isInBlocks) {
    return refuse(
      op,
      inputs,
      `the values must be uint8 of a known shape, in blocks of ${size} numbers of ${bits} bits.`,
    );
  }
  const columns = (8 * bytes) / bits;
  if (scales.dtype !== 'float32' || !sameShape(scales.shape, [rows, columns / size])) {
    refuse(op, inputs, `the scales must be float32 [${rows}, ${columns / size}].`);
  }
  return [rows, columns];
}

export const typeRules: TypeRules = {
  add: binary('add'),
  subtract: binary('subtract'),
  multiply: binary('multiply'),
  divide: binary('divide'),
  negate: unary('negate'),
  exp: unary('exp'),
  log: unary('log'),
  sqrt: unary('sqrt'),
  erf: unary('erf'),
  tanh: unary('tanh'),
  sigmoid: unary('sigmoid'),
  relu: unary('relu'),
  gelu: unary('gelu'),
  silu: unary('silu'),
  softmax: unary('softmax'),
  logSoftmax: unary('logSoftmax'),
  logSumExp: (inputs) => [float([...unary('logSumExp')(inputs)[0]!.shape.slice(0, -1), 1])],
  greater: (inputs) => [{ dtype: 'bool', shape: binary('greater')(inputs)[0]!.shape }],

  where(inputs) {
    const [condition, a, b] = inputs as [TensorType, TensorType, TensorType];
    if (condition.dtype !== 'bool') refuse('where', inputs, 'the condition must be bool.');
    const shape = broadcastShapes(condition.shape, binary('where')([a, b])[0]!.shape);
    return [{ dtype: a.dtype, shape: shape ?? refuse('where', inputs, 'the shapes do not broadcast.') }];
  },

  cast: ([x], { to }) => [{ dtype: to, shape: x!.shape }],

  dropout(inputs, { rate }) {
    const [x, mask] = inputs as [TensorType, TensorType];
    if (x.dtype !== 'float32' || mask.dtype !== 'uint8')
      refuse('dropout', inputs, 'x must be float32, the mask uint8.');
    if (!sameShape(x.shape, mask.shape)) refuse('dropout', inputs, 'the mask must have the shape of x.');
    if (!(rate >= 0 && rate < 1)) refuse('dropout', inputs, `the rate ${rate} is outside [0, 1).`);
    return [x];
  },

  reshape(inputs, { shape }) {
    if (product(inputs[0]!.shape) !== product(shape)) {
      refuse('reshape', inputs, `[${shape.join(', ')}] has another number of elements.`);
    }
    return [{ dtype: inputs[0]!.dtype, shape }];
  },

  transpose(inputs, { permutation }) {
    const { shape, dtype } = inputs[0]!;
    if (permutation.length !== shape.length || [...permutation].sort().some((axis, i) => axis !== i)) {
      refuse('transpose', inputs, `[${permutation}] does not permute its axes.`);
    }
    return [{ dtype, shape: permutation.map((axis) => shape[axis]!) }];
  },

  broadcast(inputs, { shape }) {
    const result = broadcastShapes(inputs[0]!.shape, shape);
    if (!result || !sameShape(result, shape))
      refuse('broadcast', inputs, `it does not broadcast to [${shape.join(', ')}].`);
    return [{ dtype: inputs[0]!.dtype, shape }];
  },

  concat(inputs, { axis }) {
    const [first, ...others] = inputs;
    if (first?.shape[axis] === undefined) return refuse('concat', inputs, `there is no axis ${axis}.`);
    const fits = (other: TensorType) =>
      other.dtype === first.dtype &&
      other.shape.length === first.shape.length &&
      other.shape.every((dim, i) => i === axis || dim === first.shape[i]);
    if (!others.every(fits)) refuse('concat', inputs, `they do not fit along axis ${axis}.`);
    const joined = sum(inputs.map((input) => input.shape[axis]!));
    return [{ dtype: first.dtype, shape: first.shape.map((dim, i) => (i === axis ? joined : dim)) }];
  },

  slice(inputs, { axis, start, end }) {
    const { shape, dtype } = inputs[0]!;
    const size = shape[axis];
    if (size === undefined || start < 0 || end < start || (typeof size === 'number' && end > size)) {
      refuse('slice', inputs, `${start}:${end} lies outside axis ${axis}.`);
    }
    return [{ dtype, shape: shape.map((dim, i) => (i === axis ? end - start : dim)) }];
  },

  sum: (inputs, attributes) => reduced('sum', inputs, attributes),
  max: (inputs, attributes) => reduced('max', inputs, attributes),

  topK(inputs, { k }) {
    requireFloat('topK', inputs);
    const { shape } = inputs[0]!;
    const size = lastDim(shape);
    if (k < 1 || (typeof size === 'number' && k > size)) refuse('topK', inputs, `k = ${k} is outside 1 … ${size}.`);
    const result = [...shape.slice(0, -1), k];
    return [float(result), { dtype: 'int64', shape: result }];
  },

  matmul(inputs, { transposeA, transposeB }) {
    requireFloat('matmul', inputs);
    const [a, b] = inputs as [TensorType, TensorType];
    const batch = a.shape.slice(0, -2);
    if (a.shape.length < 2 || a.shape.length !== b.shape.length || !sameShape(batch, b.shape.slice(0, -2))) {
      refuse('matmul', inputs, 'the operands must have rank 2 or more and equal leading dimensions.');
    }
    const [rows, innerA] = transposeA ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!];
    const [innerB, columns] = transposeB ? [b.shape.at(-1)!, b.shape.at(-2)!] : [b.shape.at(-2)!, b.shape.at(-1)!];
    if (innerA !== innerB) refuse('matmul', inputs, `the inner dimensions ${innerA} and ${innerB} differ.`);
    return [float([...batch, rows, columns])];
  },

  linear: (inputs) => [float(projected('linear', inputs))],

  quantizedLinear(inputs, blocks) {
    const [x, values, scales, bias] = inputs as [TensorType, TensorType, TensorType, TensorType?];
    const [rows, columns] = dequantized('quantizedLinear', inputs, values, scales, blocks);
    if (x.dtype !== 'float32' || x.shape.length !== 2 || x.shape[1] !== columns) {
      refuse('quantizedLinear', inputs, `x must be float32 [n, ${columns}].`);
    }
    if (bias && !sameShape(bias.shape, [rows])) refuse('quantizedLinear', inputs, `the bias must be [${rows}].`);
    return [float([x.shape[0]!, rows])];
  },

  linearLogSumExp(inputs) {
    const [rows, columns] = projected('linearLogSumExp', inputs) as [Dim, Dim];
    return [float([rows, 1]), float([rows, columns])];
  },

  layerNorm(inputs) {
    requireFloat('layerNorm', inputs);
    const [x, weight, bias] = inputs as [TensorType, TensorType, TensorType];
    const features = [lastDim(x.shape)];
    if (!sameShape(weight.shape, features) || !sameShape(bias.shape, features)) {
      refuse('layerNorm', inputs, `weight and bias must be [${features}].`);
    }
    const statistics = float([...x.shape.slice(0, -1), 1]);
    return [x, statistics, statistics];
  },

  gather(inputs) {
    const [table, ids] = inputs as [TensorType, TensorType];
    if (!isIndex(ids)) refuse('gather', inputs, 'ids must be int32 or int64.');
    return [{ dtype: table.dtype, shape: [...ids.shape, ...table.shape.slice(1)] }];
  },

  quantizedGather(inputs, blocks) {
    const [values, scales, ids] = inputs as [TensorType, TensorType, TensorType];
    const [, columns] = dequantized('quantizedGather', inputs, values, scales, blocks);
    if (!isIndex(ids)) refuse('quantizedGather', inputs, 'ids must be int32 or int64.');
    return [float([...ids.shape, columns])];
  },

  gatherElements(inputs) {
    const [x, indices] = inputs as [TensorType, TensorType];
    if (!isIndex(indices)) refuse('gatherElements', inputs, 'indices must be int32 or int64.');
    if (!sameShape(x.shape.slice(0, -1), indices.shape.slice(0, -1))) {
      refuse('gatherElements', inputs, 'all but the last dimension must agree.');
    }
    return [{ dtype: x.dtype, shape: indices.shape }];
  },

  unpackRows: (inputs) => rowsAt('unpackRows', inputs),
  packRows: (inputs) => rowsAt('packRows', inputs),
  selectRows: (inputs) => rowsAt('selectRows', inputs),

  writeRows(inputs) {
    const [cache, index, rows] = inputs as [TensorType, TensorType, TensorType];
    const depth = lastDim(index.shape);
    if (index.dtype !== 'int64') refuse('writeRows', inputs, 'the index must be int64.');
    if (typeof depth !== 'number' || depth > cache.shape.length) {
      return refuse('writeRows', inputs, `index tuples of ${depth} do not address rank ${cache.shape.length}.`);
    }
    const expected = [...index.shape.slice(0, -1), ...cache.shape.slice(depth)];
    if (rows.dtype !== cache.dtype || !sameShape(rows.shape, expected)) {
      refuse('writeRows', inputs, `the rows must be [${expected.join(', ')}].`);
    }
    return [cache];
  },
};

function rowsAt(op: 'unpackRows' | 'packRows' | 'selectRows', inputs: readonly TensorType[]): TensorType[] {
  const [x, index, inverse] = inputs as [TensorType, TensorType, TensorType];
  if ([index, inverse].some(({ dtype, shape }) => dtype !== 'int32' || shape.length !== 1)) {
    refuse(op, inputs, 'the indices must be int32 of rank 1.');
  }
  if (inverse.shape[0] !== x.shape[0]) refuse(op, inputs, 'the inverse index must have one entry for each row of x.');
  return [{ dtype: x.dtype, shape: [index.shape[0]!, ...x.shape.slice(1)] }];
}
