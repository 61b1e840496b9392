import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeModel,
  encodeWithWeights,
  type OnnxAttribute,
  type OnnxInitializer,
  type OnnxModel,
  type OnnxNode,
} from './proto.js';

/** A message as field number → values in order; sub-messages, strings and packed data stay bytes. */
type Message = Map<number, (bigint | Uint8Array)[]>;

/** Reads Protocol Buffers' wire format, independently of the writer's shortcuts. */
function read(bytes: Uint8Array): Message {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const message: Message = new Map();
  let position = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = view.getUint8(position++);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(64, value);
    }
  };
  while (position < bytes.length) {
    const tag = Number(varint());
    const [field, wireType] = [tag >> 3, tag & 7];
    const length = wireType === 0 ? 0 : wireType === 5 ? 4 : Number(varint());
    const value = wireType === 0 ? varint() : bytes.subarray(position, position + length);
    if (wireType !== 0) position += length;
    message.set(field, [...(message.get(field) ?? []), value]);
  }
  expect(position).toBe(bytes.length);
  return message;
}

const texts = (message: Message, field: number) =>
  (message.get(field) ?? []).map((value) => new TextDecoder().decode(value as Uint8Array));
const messages = (message: Message, field: number) =>
  (message.get(field) ?? []).map((value) => read(value as Uint8Array));
const numbers = (message: Message, field: number) => (message.get(field) ?? []).map(Number);
const floats = (message: Message, field: number) =>
  (message.get(field) ?? []).map((value) => {
    const bytes = value as Uint8Array;
    return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
  });

function encode(part: Partial<OnnxModel>): Message {
  return read(encodeModel({ nodes: [], inputs: [], outputs: [], initializers: [], opset: 20, ...part }));
}

const graphOf = (part: Partial<OnnxModel>) => messages(encode(part), 7)[0]!;
const nodeOf = (node: Partial<OnnxNode>) =>
  messages(graphOf({ nodes: [{ op: 'Add', inputs: [], outputs: [], ...node }] }), 1)[0]!;
const attributeOf = (attribute: OnnxAttribute) => messages(nodeOf({ attributes: { a: attribute } }), 5)[0]!;
const initializerOf = (initializer: OnnxInitializer) => messages(graphOf({ initializers: [initializer] }), 5)[0]!;

describe('encodeModel', () => {
  it('names versions and operator sets', () => {
    const model = encode({ opset: 21 });
    expect(numbers(model, 1)).toEqual([9]);
    expect(messages(model, 8).map((set) => [...texts(set, 1), ...numbers(set, 2)])).toEqual([
      ['', 21],
      ['com.microsoft', 1],
    ]);
  });

  it('writes nodes, absent inputs included', () => {
    const node = nodeOf({
      op: 'Clip',
      inputs: ['x', '', 'größe'],
      outputs: ['y'],
      name: 'n'.repeat(200),
      domain: 'com.microsoft',
    });
    expect(texts(node, 1)).toEqual(['x', '', 'größe']);
    expect(texts(node, 2)).toEqual(['y']);
    expect(texts(node, 3)).toEqual(['n'.repeat(200)]);
    expect(texts(node, 4)).toEqual(['Clip']);
    expect(texts(node, 7)).toEqual(['com.microsoft']);
  });

  it.each<[OnnxAttribute, number, (message: Message, field: number) => unknown[], unknown[], number]>([
    [{ float: 0.5 }, 2, floats, [0.5], 1],
    [{ int: -1 }, 3, numbers, [-1], 2],
    [{ string: 'reflect' }, 4, texts, ['reflect'], 3],
    [{ floats: [1.5, -2] }, 7, floats, [1.5, -2], 6],
    [{ ints: [1, 0, -9, 3_000_000_000] }, 8, numbers, [1, 0, -9, 3_000_000_000], 7],
  ])('writes the attribute %j', (attribute, field, decode, values, type) => {
    const message = attributeOf(attribute);
    expect(texts(message, 1)).toEqual(['a']);
    expect(decode(message, field)).toEqual(values);
    expect(numbers(message, 20)).toEqual([type]);
    expect(message.size).toBe(3);
  });

  it('writes every integer a number holds exactly', () => {
    fc.assert(fc.property(fc.maxSafeInteger(), (int) => numbers(attributeOf({ int }), 3)[0] === int));
  });

  it('writes any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (name) => {
        expect(texts(nodeOf({ name }), 3)).toEqual([name]);
      }),
    );
  });

  it('writes dimensions as numbers, plain symbols as their names, expressions as unknown', () => {
    const [input] = messages(
      graphOf({ inputs: [{ name: 'x', dtype: 'int64', shape: ['batch', 0, '2*batch', 768] }] }),
      11,
    );
    expect(texts(input!, 1)).toEqual(['x']);
    const type = messages(messages(input!, 2)[0]!, 1)[0]!;
    expect(numbers(type, 1)).toEqual([7]);
    const dims = messages(messages(type, 2)[0]!, 1);
    expect(dims.map((dim) => [...numbers(dim, 1), ...texts(dim, 2)])).toEqual([['batch'], [0], [], [768]]);
  });

  it('writes the values of initializers, those of a part of a buffer too', () => {
    const data = Float32Array.of(9, 1, 2, 3, 9).subarray(1, 4);
    const initializer = initializerOf({ name: 'w', dtype: 'float32', shape: [3, 1], data });
    expect(numbers(initializer, 1)).toEqual([3, 1]);
    expect(numbers(initializer, 2)).toEqual([1]);
    expect(texts(initializer, 8)).toEqual(['w']);
    const raw = initializer.get(9)![0] as Uint8Array;
    expect([...new Float32Array(raw.slice().buffer)]).toEqual([1, 2, 3]);
  });

  it('moves large contents whole while the buffer grows', () => {
    const data = Int32Array.from({ length: 1_000_000 }, (_, i) => i);
    const raw = initializerOf({ name: 'w', dtype: 'int32', shape: [data.length], data }).get(9)![0] as Uint8Array;
    expect(Buffer.compare(raw, new Uint8Array(data.buffer))).toBe(0);
  });

  it('marks external initializers and writes no values', () => {
    const initializer = initializerOf({ name: 'w', dtype: 'float32', shape: [1000, 1000], external: true });
    expect(numbers(initializer, 14)).toEqual([1]);
    expect(initializer.has(9)).toBe(false);
    expect(texts(messages(initializer, 13)[0]!, 1)).toEqual(['location']);
  });

  it('refuses what the format cannot hold', () => {
    expect(() => attributeOf({ int: 1.5 })).toThrow('onnx: 1.5 is not an integer');
    expect(() => attributeOf({ ints: [Number.NaN] })).toThrow('onnx: NaN is not an integer');
    expect(() => initializerOf({ name: 'w', dtype: 'float32', shape: [2, 2], data: new Float32Array(3) })).toThrow(
      'onnx: initializer "w" has shape [2, 2], 4 elements, but 3 values.',
    );
  });
});

describe('encodeWithWeights', () => {
  const model = (names: readonly string[], shape: readonly number[]): OnnxModel => ({
    ...{ nodes: [], inputs: [], outputs: [], opset: 20 },
    initializers: names.map((name) => ({ name, dtype: 'float32', shape, external: true })),
  });

  it('puts views of the weights where encodeModel puts their bytes', () => {
    const weights = new Map(['a', 'b'].map((name, i) => [name, Float32Array.of(i, 0.5, -3)] as const));
    const pieces = encodeWithWeights(model(['a', 'b'], [3]), (name) => weights.get(name)!);
    const initializers = ['a', 'b'].map((name) => ({
      ...{ name, dtype: 'float32' as const, shape: [3] },
      data: weights.get(name)!,
    }));
    expect(messages(read(new Uint8Array(Buffer.concat(pieces))), 7)[0]).toEqual(graphOf({ initializers }));
    expect(pieces.filter(({ buffer }) => [...weights.values()].some((data) => data.buffer === buffer))).toHaveLength(2);
  });

  it('refuses more than a file can hold', () => {
    // Never touched, so that it takes no memory.
    const gigabyte = new Float32Array(2 ** 28);
    expect(() => encodeWithWeights(model(['a', 'b'], [2 ** 28]), () => gigabyte)).toThrow(
      /^onnx: the model takes 21474\d{5} bytes, but an ONNX file holds at most 2147483647\./,
    );
  });
});
