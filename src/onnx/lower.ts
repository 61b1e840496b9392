import { fail } from '../errors.js';
import {
  type Dim,
  type DType,
  type DTypeArrays,
  formatType,
  isSymbol,
  type Node,
  type NodeOf,
  nodesOf,
  type OpName,
  type Shape,
  type TensorData,
  type TensorType,
  type Value,
} from '../graph/index.js';
import { encodeModel, ONNX_DTYPE, type OnnxAttribute, type OnnxInitializer, type OnnxNode } from './proto.js';

/** A tensor that enters or leaves a lowered graph. */
export interface NamedType extends TensorType {
  readonly name: string;
}

export interface LoweredGraph {
  /** The bytes of an ONNX model. */
  readonly model: Uint8Array;
  /** What must be fed at every run: inputs, and weights that are not constants. */
  readonly inputs: readonly NamedType[];
  readonly outputs: readonly NamedType[];
  /** Weights that the session takes once, from memory, when it is made. */
  readonly constants: readonly NamedType[];
}

export interface LowerOptions {
  /** Weights become constants of the model, which an engine may rearrange once, instead of inputs of every run. */
  constantParameters?: boolean;
}

const OPSET = 20;

/** Under which name a weight, or rows of it, enter a lowered graph. */
export function parameterName(node: NodeOf<'parameter'> | NodeOf<'parameterRows'>): string {
  if (node.op === 'parameter') return node.attributes.name;
  const { name, start, count } = node.attributes;
  return `${name}[${start}:${start + count}]`;
}

/** Writes the graph that `outputs` reach as an ONNX model. */
export function lower(outputs: Readonly<Record<string, Value>>, options: LowerOptions = {}): LoweredGraph {
  const nodes = nodesOf(Object.values(outputs));
  const writer = new GraphWriter(nodes);
  const inputs: NamedType[] = [];
  const constants: NamedType[] = [];
  const seen = new Map<string, Value>();

  for (const [name, value] of Object.entries(outputs)) writer.reserveName(value, name);
  // All inputs are named first: a size may be shown by an input that was made after the nodes which need it.
  for (const node of nodes) {
    if (!isFed(node)) continue;
    const value = node.outputs[0]!;
    const name = node.op === 'input' ? node.attributes.name : parameterName(node);
    const earlier = seen.get(name);
    if (earlier && formatType(earlier) !== formatType(value)) {
      fail('onnx', `"${name}" enters the graph twice, as ${formatType(earlier)} and as ${formatType(value)}.`);
    }
    writer.setName(value, name);
    if (earlier) continue;
    seen.set(name, value);
    const constant = node.op !== 'input' && options.constantParameters === true;
    (constant ? constants : inputs).push({ name, dtype: value.dtype, shape: value.shape });
    if (constant) {
      writer.initializers.push({ name, dtype: value.dtype, shape: value.shape as readonly number[], external: true });
    }
  }
  for (const node of nodes) {
    if (isFed(node)) continue;
    const rule = loweringRules[node.op] as LoweringRule<OpName>;
    rule(
      writer,
      node as never,
      node.inputs.map((value) => writer.nameOf(value)),
      node.outputs.map((value) => writer.nameOf(value)),
    );
  }

  const outputTypes: NamedType[] = [];
  for (const [name, value] of Object.entries(outputs)) {
    if (seen.has(name)) fail('onnx', `"${name}" names both an output and something that is fed. Rename the output.`);
    // One value under two names, or an input handed straight out.
    if (writer.nameOf(value) !== name)
      writer.nodes.push({ op: 'Identity', inputs: [writer.nameOf(value)], outputs: [name] });
    outputTypes.push({ name, dtype: value.dtype, shape: value.shape });
  }
  const { nodes: onnxNodes, initializers } = writer;
  const model = encodeModel({ nodes: onnxNodes, inputs, outputs: outputTypes, initializers, opset: OPSET });
  return { model, inputs, outputs: outputTypes, constants };
}

/** Inputs and weights come from outside, everything else is computed. */
type FedNode = NodeOf<'input'> | NodeOf<'parameter'> | NodeOf<'parameterRows'>;
const isFed = (node: Node): node is FedNode =>
  node.op === 'input' || node.op === 'parameter' || node.op === 'parameterRows';

/** Collects ONNX nodes and constants, and knows how to compute sizes that only a run knows. */
class GraphWriter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxInitializer[] = [];
  readonly #names = new Map<Value, string>();
  readonly #constants = new Map<string, string>();
  readonly #sizes = new Map<string, string>();
  /** For each symbol an input and the axis that shows it. */
  readonly #symbols = new Map<string, { input: Value; axis: number }>();
  #created = 0;

  constructor(nodes: readonly Node[]) {
    for (const node of nodes) {
      if (node.op !== 'input') continue;
      const input = node.outputs[0]!;
      for (const [axis, dim] of input.shape.entries()) {
        if (isSymbol(dim) && !this.#symbols.has(dim)) this.#symbols.set(dim, { input, axis });
      }
    }
  }

  /** Gives a computed value the name of the output it is; leaves keep their own. */
  reserveName(value: Value, name: string): void {
    if (!isFed(value.node) && !this.#names.has(value)) this.setName(value, name);
  }

  setName(value: Value, name: string): void {
    this.#names.set(value, name);
  }

  nameOf(value: Value): string {
    let name = this.#names.get(value);
    if (name === undefined) {
      name = this.fresh(value.node.scope ? `${value.node.scope}/${value.node.op}` : value.node.op);
      this.#names.set(value, name);
    }
    return name;
  }

  fresh(label: string): string {
    return `${label}#${this.#created++}`;
  }

  /** Adds a node with one output of its own and returns its name. */
  emit(
    op: string,
    inputs: readonly string[],
    attributes: OnnxNode['attributes'] = {},
    domain?: 'com.microsoft',
  ): string {
    const output = this.fresh(op);
    this.emitTo([output], op, inputs, attributes, domain);
    return output;
  }

  emitTo(
    outputs: readonly string[],
    op: string,
    inputs: readonly string[],
    attributes: OnnxNode['attributes'] = {},
    domain?: 'com.microsoft',
  ): void {
    this.nodes.push({ op, inputs, outputs, attributes, name: outputs[0]!, ...(domain && { domain }) });
  }

  constant(data: readonly number[], dtype: DType, shape: readonly number[]): string {
    const key = `${dtype}[${shape}]${data}`;
    let name = this.#constants.get(key);
    if (name === undefined) {
      name = this.fresh('constant');
      this.initializers.push({ name, dtype, shape, data: typedArrays[dtype](data) });
      this.#constants.set(key, name);
    }
    return name;
  }

  integers(values: readonly number[]): string {
    return this.constant(values, 'int64', [values.length]);
  }

  /** A shape as an int64 vector. With `inferOne`, one symbolic size is left to the engine (-1), as Reshape allows. */
  shape(shape: Shape, inferOne = false): string {
    const symbolic = shape.filter((dim) => typeof dim === 'string');
    if (symbolic.length === 0) return this.integers(shape as readonly number[]);
    const inferred = inferOne ? symbolic.reduce((a, b) => (b.length > a.length ? b : a)) : undefined;
    const position = shape.indexOf(inferred as Dim);
    const dims = shape.map((dim, axis) => (axis === position ? -1 : dim));
    const key = dims.join(',');
    let name = this.#sizes.get(`[${key}]`);
    if (name === undefined) {
      const parts = dims.map((dim) => this.#size(dim));
      name = parts.every((part) => typeof part === 'number')
        ? this.integers(parts as number[])
        : this.emit(
            'Concat',
            parts.map((part) => (typeof part === 'number' ? this.integers([part]) : part)),
            { axis: { int: 0 } },
          );
      this.#sizes.set(`[${key}]`, name);
    }
    return name;
  }

  /** One size as a number, or as the name of a one-element int64 vector computed at run time. */
  #size(dim: Dim): number | string {
    if (typeof dim === 'number') return dim;
    let name = this.#sizes.get(dim);
    if (name === undefined) {
      const terms = dim.split('+').map((term) => {
        const factors = term
          .split('*')
          .map((factor) => (/^-?\d+$/.test(factor) ? this.integers([Number(factor)]) : this.#symbol(factor)));
        return factors.reduce((a, b) => this.emit('Mul', [a, b]));
      });
      name = terms.reduce((a, b) => this.emit('Add', [a, b]));
      this.#sizes.set(dim, name);
    }
    return name;
  }

  #symbol(symbol: string): string {
    let name = this.#sizes.get(symbol);
    if (name === undefined) {
      const source = this.#symbols.get(symbol) ?? fail('onnx', `no input shows the size of "${symbol}".`);
      const attributes = { start: { int: source.axis }, end: { int: source.axis + 1 } };
      name = this.emit('Shape', [this.nameOf(source.input)], attributes);
      this.#sizes.set(symbol, name);
    }
    return name;
  }
}

const typedArrays: { readonly [K in DType]: (data: readonly number[]) => DTypeArrays[K] & TensorData } = {
  float32: (data) => Float32Array.from(data),
  int32: (data) => Int32Array.from(data),
  int64: (data) => BigInt64Array.from(data, BigInt),
  uint8: (data) => Uint8Array.from(data),
  bool: (data) => Uint8Array.from(data),
};

type LoweringRule<K extends OpName> = (
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
const lastAxis = { axis: int(-1) };

const loweringRules: LoweringRules = {
  constant(writer, { attributes: { data }, outputs: [type] }, _, outputs) {
    writer.emitTo(outputs, 'Identity', [writer.constant(data, type!.dtype, type!.shape as readonly number[])]);
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
    else writer.emitTo(outputs, 'FusedMatMul', inputs, attributes, 'com.microsoft');
  },
  linear: (writer, _, inputs, outputs) => writer.emitTo(outputs, 'Gemm', inputs, { transB: int(1) }),

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
