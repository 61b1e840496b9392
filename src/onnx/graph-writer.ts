import { fail } from '../errors.js';
import {
  type Dim,
  type DType,
  type DTypeArrays,
  isSymbol,
  type Node,
  type NodeOf,
  type Shape,
  type TensorData,
  type Value,
} from '../graph/index.js';
import type { OnnxInitializer, OnnxNode } from './proto.js';

/** Inputs and weights come from outside, everything else is computed. */
export type FedNode = NodeOf<'input'> | NodeOf<'parameter'> | NodeOf<'parameterRows'>;
export const isFed = (node: Node): node is FedNode =>
  node.op === 'input' || node.op === 'parameter' || node.op === 'parameterRows';

/** Collects ONNX nodes and constants, and knows how to compute sizes that only a run knows. */
export class GraphWriter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxInitializer[] = [];
  readonly #names = new Map<Value, string>();
  readonly #constants = new Map<string, string>();
  readonly #sizes = new Map<string, string>();
  /** For each symbol an input and the axis that shows it. */
  readonly #symbols = new Map<string, { input: Value; axis: number }>();
  readonly #prefix: string;
  /** Whether operations that only ONNX Runtime has are to be avoided. */
  readonly standardOnly: boolean;
  #created = 0;

  constructor(nodes: readonly Node[], prefix: string, standardOnly: boolean) {
    this.#prefix = prefix;
    this.standardOnly = standardOnly;
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
    return `${this.#prefix}${label}#${this.#created++}`;
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
