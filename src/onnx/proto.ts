import { fail } from '../errors.js';
import { type DType, formatShape, isSymbol, type Shape, type TensorData } from '../graph/index.js';

/** `TensorProto.DataType`: the number that stands for an element type in ONNX files and in ONNX Runtime's C API. */
export const ONNX_DTYPE: Readonly<Record<DType, number>> = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9 };

export type OnnxAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly graph: OnnxBranch };

export interface OnnxNode {
  readonly op: string;
  readonly domain?: 'com.microsoft';
  /** Value names; `''` where an optional input is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
  readonly name?: string;
}

/** What a branch of an `If` computes; it sees the values of the graph around it. */
export interface OnnxBranch {
  readonly nodes: readonly OnnxNode[];
  readonly outputs: readonly OnnxValueInfo[];
  readonly initializers: readonly OnnxInitializer[];
}

export interface OnnxValueInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A constant of the graph: its values written into the file, or `external`: handed to the session from memory. */
export type OnnxInitializer = {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
} & ({ readonly data: TensorData } | { readonly external: true });

export interface OnnxModel {
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  readonly initializers: readonly OnnxInitializer[];
  /** Version of the default operator set. */
  readonly opset: number;
}

const IR_VERSION = 9;
const EXTERNAL_LOCATION = 'a constant from memory';
const MAX_BYTES = 2 ** 31 - 1; // Protocol Buffers' limit for one message

/** The model as the bytes of an ONNX file; field numbers are those of `onnx.proto`. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const writer = new ProtoWriter();
  writeHeader(writer, model);
  writer.message(7, () => writeGraph(writer, model));
  return writer.finish();
}

/**
 * The model as the bytes of an ONNX file that holds its weights, in pieces: what stands for external initializers are views
 * of the arrays that `dataOf` gives, which are not copied.
 */
export function encodeWithWeights(model: OnnxModel, dataOf: (name: string) => Float32Array): Uint8Array[] {
  const external = model.initializers.filter((initializer) => 'external' in initializer);
  const body = new ProtoWriter();
  writeGraph(body, { ...model, initializers: model.initializers.filter((initializer) => 'data' in initializer) });
  const weights = external.flatMap(({ name, dtype, shape }) => {
    const { buffer, byteOffset, byteLength } = dataOf(name);
    const tensor = new ProtoWriter();
    writeTensorType(tensor, name, dtype, shape);
    tensor.lengthOfBytes(9, byteLength);
    const type = tensor.finish();
    const field = new ProtoWriter();
    field.lengthOfBytes(5, type.length + byteLength);
    return [field.finish(), type, new Uint8Array(buffer, byteOffset, byteLength)];
  });
  const graph = [body.finish(), ...weights];
  const bytes = graph.reduce((total, piece) => total + piece.length, 0);
  if (bytes > MAX_BYTES) {
    fail(
      'onnx',
      `the model takes ${bytes} bytes, but an ONNX file holds at most ${MAX_BYTES}. Export a smaller model.`,
    );
  }
  const head = new ProtoWriter();
  writeHeader(head, model);
  head.lengthOfBytes(7, bytes);
  return [head.finish(), ...graph];
}

function writeHeader(writer: ProtoWriter, { opset }: OnnxModel): void {
  writer.int(1, IR_VERSION);
  writer.string(2, 'simple-seq2seq');
  writeOperatorSet(writer, '', opset);
  writeOperatorSet(writer, 'com.microsoft', 1);
}

function writeOperatorSet(writer: ProtoWriter, domain: string, version: number): void {
  writer.message(8, () => {
    writer.string(1, domain);
    writer.int(2, version);
  });
}

function writeGraph(writer: ProtoWriter, { nodes, inputs, outputs, initializers }: Omit<OnnxModel, 'opset'>): void {
  for (const node of nodes) writer.message(1, () => writeNode(writer, node));
  writer.string(2, 'graph');
  for (const initializer of initializers) writer.message(5, () => writeInitializer(writer, initializer));
  for (const input of inputs) writer.message(11, () => writeValueInfo(writer, input));
  for (const output of outputs) writer.message(12, () => writeValueInfo(writer, output));
}

function writeNode(writer: ProtoWriter, node: OnnxNode): void {
  for (const input of node.inputs) writer.string(1, input);
  for (const output of node.outputs) writer.string(2, output);
  if (node.name !== undefined) writer.string(3, node.name);
  writer.string(4, node.op);
  for (const [name, attribute] of Object.entries(node.attributes ?? {})) {
    writer.message(5, () => writeAttribute(writer, name, attribute));
  }
  if (node.domain !== undefined) writer.string(7, node.domain);
}

/** Field 20 is `AttributeProto.AttributeType`, which says in which field the value lies. */
function writeAttribute(writer: ProtoWriter, name: string, attribute: OnnxAttribute): void {
  writer.string(1, name);
  if ('float' in attribute) {
    writer.float(2, attribute.float);
    writer.int(20, 1);
  } else if ('int' in attribute) {
    writer.int(3, attribute.int);
    writer.int(20, 2);
  } else if ('string' in attribute) {
    writer.string(4, attribute.string);
    writer.int(20, 3);
  } else if ('graph' in attribute) {
    writer.message(6, () => writeGraph(writer, { ...attribute.graph, inputs: [] }));
    writer.int(20, 5);
  } else if ('floats' in attribute) {
    for (const value of attribute.floats) writer.float(7, value);
    writer.int(20, 6);
  } else {
    for (const value of attribute.ints) writer.int(8, value);
    writer.int(20, 7);
  }
}

function writeInitializer(writer: ProtoWriter, initializer: OnnxInitializer): void {
  const { name, dtype, shape } = initializer;
  writeTensorType(writer, name, dtype, shape);
  if ('data' in initializer) {
    const { data } = initializer;
    const length = shape.reduce((total, dim) => total * dim, 1);
    if (data.length !== length) {
      fail(
        'onnx',
        `initializer "${name}" has shape ${formatShape(shape)}, ${length} elements, but ${data.length} values.`,
      );
    }
    writer.bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  } else {
    // No such file is read: the session takes the values from memory, by the initializer's name. Where the caller forgot
    // to give them, this is the file that ONNX Runtime misses.
    writer.message(13, () => {
      writer.string(1, 'location');
      writer.string(2, EXTERNAL_LOCATION);
    });
    writer.int(14, 1);
  }
}

function writeTensorType(writer: ProtoWriter, name: string, dtype: DType, shape: readonly number[]): void {
  for (const dim of shape) writer.int(1, dim);
  writer.int(2, ONNX_DTYPE[dtype]);
  writer.string(8, name);
}

function writeValueInfo(writer: ProtoWriter, { name, dtype, shape }: OnnxValueInfo): void {
  writer.string(1, name);
  writer.message(2, () =>
    writer.message(1, () => {
      writer.int(1, ONNX_DTYPE[dtype]);
      writer.message(2, () => {
        for (const dim of shape) {
          writer.message(1, () => {
            if (typeof dim === 'number') writer.int(1, dim);
            else if (isSymbol(dim)) writer.string(2, dim);
          });
        }
      });
    }),
  );
}

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;
const utf8 = new TextEncoder();

/** Protocol Buffers' wire format, written front to back into one growing buffer. */
class ProtoWriter {
  #buffer = new Uint8Array(1 << 16);
  #view = new DataView(this.#buffer.buffer);
  #position = 0;

  int(field: number, value: number): void {
    if (!Number.isSafeInteger(value)) fail('onnx', `${value} is not an integer that an int64 field can hold.`);
    this.#tag(field, VARINT);
    this.#varint(value);
  }

  float(field: number, value: number): void {
    this.#tag(field, FIXED32);
    this.#reserve(4);
    this.#view.setFloat32(this.#position, value, true);
    this.#position += 4;
  }

  string(field: number, value: string): void {
    this.message(field, () => {
      this.#reserve(3 * value.length);
      this.#position += utf8.encodeInto(value, this.#buffer.subarray(this.#position)).written;
    });
  }

  bytes(field: number, value: Uint8Array): void {
    this.#tag(field, LENGTH_DELIMITED);
    this.#varint(value.length);
    this.#reserve(value.length);
    this.#buffer.set(value, this.#position);
    this.#position += value.length;
  }

  /** Begins a field of so many bytes, which are written elsewhere. */
  lengthOfBytes(field: number, length: number): void {
    this.#tag(field, LENGTH_DELIMITED);
    this.#varint(length);
  }

  /** A field whose length is known only once `body` has written it; bodies of 128 bytes and more are moved up then. */
  message(field: number, body: () => void): void {
    this.#tag(field, LENGTH_DELIMITED);
    this.#reserve(1);
    const start = ++this.#position;
    body();
    const length = this.#position - start;
    const extra = varintSize(length) - 1;
    if (extra > 0) {
      this.#reserve(extra);
      this.#buffer.copyWithin(start + extra, start, this.#position);
    }
    this.#position = start - 1;
    this.#varint(length);
    this.#position += length;
  }

  finish(): Uint8Array {
    return this.#buffer.slice(0, this.#position);
  }

  #tag(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType);
  }

  /** Base 128, low bits first; a negative number is its 64-bit two's complement, ten bytes. */
  #varint(value: number): void {
    this.#reserve(10);
    let low = value >>> 0;
    let high = Math.floor(value / 2 ** 32) >>> 0;
    while (high > 0 || low > 127) {
      this.#buffer[this.#position++] = (low & 127) | 128;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#buffer[this.#position++] = low;
  }

  #reserve(bytes: number): void {
    const needed = this.#position + bytes;
    if (needed <= this.#buffer.length) return;
    if (needed > MAX_BYTES) {
      fail('onnx', `the model takes more than ${MAX_BYTES} bytes. Make its large initializers external.`);
    }
    const grown = new Uint8Array(Math.min(MAX_BYTES, Math.max(needed, 2 * this.#buffer.length)));
    grown.set(this.#buffer);
    this.#buffer = grown;
    this.#view = new DataView(grown.buffer);
  }
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) size++;
  return size;
}
