import { fail } from '../errors.js';
import { lastDim, type NodeOf, type OpName } from '../graph/index.js';
import type { FedNode, GraphWriter } from './graph-writer.js';
import { ONNX_DTYPE, type OnnxAttribute, type OnnxNode } from './proto.js';

export type LoweringRule<K extends OpName> = (
  writer: GraphWriter,
  node: NodeOf<K>,
  inputs: readonly string[],
  outputs: readonly string[],
) => void;

type LoweringRules = { readonly [K in Exclude<OpName, FedNode['op']>]: LoweringRule<K> };

const int = (value: number | boolean): OnnxAttribute => ({ int: Number(value) });
/** An operation that ONNX has under the same meaning. */
function plain(op: string, attributes: OnnxNode['attributes'] = {}) {
  return (writer: GraphWriter, _: unknown, inputs: readonly string[], outputs: readonly string[]): void =>
    writer.emitTo(outputs, op, inputs, attributes);
}
/** Rows by index, where an index behind the last row stands for a row of zeros. */
function gatherOrZero(
  writer: GraphWriter,
  { inputs: [x] }: NodeOf<'unpackRows'> | NodeOf<'selectRows'>,
  [name, index]: readonly string[],
  outputs: readonly string[],
): void {
  const zero = writer.constant([0], x!.dtype, []);
  const zeros = writer.emit('Expand', [zero, writer.shape([1, ...x!.shape.slice(1)])]);
  writer.emitTo(outputs, 'Gather', [writer.emit('Concat', [name!, zeros], { axis: int(0) }), index!]);
}
/** scale · op(A) · op(B) without ONNX Runtime's fused form. */
function standardMatmul(
  writer: GraphWriter,
  inputs: readonly string[],
  transposed: readonly boolean[],
  rank: number,
  scale: number,
  outputs: readonly string[],
): void {
  const permutation = Array.from({ length: rank }, (_, axis) => axis)
    .with(-1, rank - 2)
    .with(-2, rank - 1);
  const operands = inputs.map((name, i) =>
    transposed[i] ? writer.emit('Transpose', [name], { perm: { ints: permutation } }) : name,
  );
  if (scale === 1) writer.emitTo(outputs, 'MatMul', operands);
  else writer.emitTo(outputs, 'Mul', [writer.emit('MatMul', operands), writer.constant([scale], 'float32', [])]);
}
function requireOwn({ standardOnly }: GraphWriter, op: OpName): void {
  if (standardOnly) fail('onnx', `the standard has nothing like ${op}. Export a model that is not quantized.`);
}
const lastAxis = { axis: int(-1) };

/** How each operation is written as ONNX nodes. */
export const loweringRules: LoweringRules = {
  constant(writer, { attributes: { data }, outputs: [type] }, _, outputs) {
    writer.emitTo(outputs, 'Identity', [writer.constant(data, type!.dtype, type!.shape as readonly number[])]);
  },

  range(writer, { attributes: { length } }, _, outputs) {
    const [zero, one] = [writer.constant([0], 'int64', []), writer.constant([1], 'int64', [])];
    const limit = writer.emit('Squeeze', [writer.shape([length])]);
    writer.emitTo(outputs, 'Cast', [writer.emit('Range', [zero, limit, one])], { to: int(ONNX_DTYPE.int32) });
  },

  add: plain('Add'),
  subtract: plain('Sub'),
  multiply: plain('Mul'),
  divide: plain('Div'),
  negate: plain('Neg'),
  exp: plain('Exp'),
  log: plain('Log'),
  sqrt: plain('Sqrt'),
  erf: plain('Erf'),
  tanh: plain('Tanh'),
  sigmoid: plain('Sigmoid'),
  relu: plain('Relu'),
  gelu: plain('Gelu'),
  greater: plain('Greater'),
  where: plain('Where'),
  silu: (writer, _, [x], outputs) => writer.emitTo(outputs, 'Mul', [x!, writer.emit('Sigmoid', [x!])]),
  cast: (writer, { attributes: { to } }, inputs, outputs) =>
    writer.emitTo(outputs, 'Cast', inputs, { to: int(ONNX_DTYPE[to]) }),

  // DequantizeLinear turns the bytes into 0 and 1/(1−rate) with all threads, which Cast does not.
  dropout(writer, { attributes: { rate } }, [x, mask], outputs) {
    const scale = writer.constant([1 / (1 - rate)], 'float32', []);
    writer.emitTo(outputs, 'Mul', [x!, writer.emit('DequantizeLinear', [mask!, scale])]);
  },

  reshape: (writer, { attributes: { shape } }, [x], outputs) =>
    writer.emitTo(outputs, 'Reshape', [x!, writer.shape(shape, true)]),
  transpose: (writer, { attributes: { permutation } }, inputs, outputs) =>
    writer.emitTo(outputs, 'Transpose', inputs, { perm: { ints: permutation } }),
  broadcast: (writer, { attributes: { shape } }, [x], outputs) =>
    writer.emitTo(outputs, 'Expand', [x!, writer.shape(shape)]),
  concat: (writer, { attributes: { axis } }, inputs, outputs) =>
    writer.emitTo(outputs, 'Concat', inputs, { axis: int(axis) }),
  slice: (writer, { attributes: { axis, start, end } }, [x], outputs) =>
    writer.emitTo(outputs, 'Slice', [x!, ...[start, end, axis].map((value) => writer.integers([value]))]),

  // A column sum of a matrix is a product with a row of ones, which runs at the speed of memory.
  sum(writer, { attributes: { axes, keepDims }, inputs: [x], outputs: [y] }, [name], outputs) {
    if (x!.shape.length === 2 && axes.length === 1 && axes[0] === 0) {
      const ones = writer.emit('Expand', [writer.constant([1], 'float32', []), writer.shape([1, x!.shape[0]!])]);
      writer.emitTo(outputs, 'Reshape', [writer.emit('MatMul', [ones, name!]), writer.shape(y!.shape, true)]);
    } else {
      writer.emitTo(outputs, 'ReduceSum', [name!, writer.integers(axes)], { keepdims: int(keepDims) });
    }
  },
  max: (writer, { attributes: { axes, keepDims } }, [x], outputs) =>
    writer.emitTo(outputs, 'ReduceMax', [x!, writer.integers(axes)], { keepdims: int(keepDims) }),
  topK: (writer, { attributes: { k } }, [x], outputs) => writer.emitTo(outputs, 'TopK', [x!, writer.integers([k])]),

  matmul(writer, { attributes: { transposeA, transposeB, scale }, inputs: [a] }, inputs, outputs) {
    const attributes = { transA: int(transposeA), transB: int(transposeB), alpha: { float: scale } };
    if (a!.shape.length === 2) writer.emitTo(outputs, 'Gemm', inputs, attributes);
    else if (writer.standardOnly)
      standardMatmul(writer, inputs, [transposeA, transposeB], a!.shape.length, scale, outputs);
    else writer.emitTo(outputs, 'FusedMatMul', inputs, attributes, 'com.microsoft');
  },
  linear: (writer, _, inputs, outputs) => writer.emitTo(outputs, 'Gemm', inputs, { transB: int(1) }),

  // Accuracy level 4: products of 8-bit integers.
  quantizedLinear(
    writer,
    { attributes: { bits, size }, inputs: [x], outputs: [y] },
    [name, values, scales, bias],
    outputs,
  ) {
    const attributes = { K: int(lastDim(x!.shape) as number), N: int(lastDim(y!.shape) as number), bits: int(bits) };
    requireOwn(writer, 'quantizedLinear');
    const inputs = [name!, values!, scales!];
    writer.emitTo(
      outputs,
      'MatMulNBits',
      bias === undefined ? inputs : [...inputs, '', '', bias],
      { ...attributes, block_size: int(size), accuracy_level: int(4) },
      'com.microsoft',
    );
  },
  quantizedGather(writer, { attributes: { bits, size } }, [values, scales, ids], outputs) {
    requireOwn(writer, 'quantizedGather');
    const attributes = { gather_axis: int(0), quantize_axis: int(1), block_size: int(size), bits: int(bits) };
    writer.emitTo(outputs, 'GatherBlockQuantized', [values!, ids!, scales!], attributes, 'com.microsoft');
  },

  softmax: plain('Softmax', lastAxis),
  logSoftmax: plain('LogSoftmax', lastAxis),
  logSumExp: (writer, { inputs: [x] }, [name], outputs) =>
    writer.emitTo(outputs, 'ReduceLogSumExp', [name!, writer.integers([x!.shape.length - 1])], { keepdims: int(1) }),
  layerNorm: (writer, { attributes: { epsilon } }, inputs, outputs) =>
    writer.emitTo(outputs, 'LayerNormalization', inputs, { ...lastAxis, epsilon: { float: epsilon } }),

  // log Σ exp = max(logits) − log(max(softmax)): the softmax is needed for the gradient anyway.
  linearLogSumExp(writer, _, inputs, [lse, probabilities]) {
    const logits = writer.emit('Gemm', inputs, { transB: int(1) });
    writer.emitTo([probabilities!], 'Softmax', [logits], lastAxis);
    const peak = (name: string) => writer.emit('ReduceMax', [name, writer.integers([1])], { keepdims: int(1) });
    writer.emitTo([lse!], 'Sub', [peak(logits), writer.emit('Log', [peak(probabilities!)])]);
  },

  gather: plain('Gather'),
  gatherElements: plain('GatherElements', lastAxis),
  packRows: (writer, _, [x, index], outputs) => writer.emitTo(outputs, 'Gather', [x!, index!]),
  unpackRows: gatherOrZero,
  selectRows: gatherOrZero,
  writeRows: plain('ScatterND'),
};
