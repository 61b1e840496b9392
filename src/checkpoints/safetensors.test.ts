import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { Seq2SeqError } from '../errors.js';
import { openWeights } from './open.js';
import { safetensorsPieces, type TensorToSave } from './safetensors.js';

const fixtures = path.resolve(import.meta.dirname, '../../tests/fixtures/checkpoints');
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'safetensors-'));
afterAll(() => fs.rmSync(scratch, { recursive: true }));
const place = path.join(scratch, 'x.safetensors');

function bytesOf(tensors: Iterable<TensorToSave>): Buffer {
  return Buffer.concat(
    safetensorsPieces(tensors).map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
  );
}

function readFile(file: string): TensorToSave[] {
  const { weights, close } = openWeights(file);
  const tensors = [...weights.values()].map((weight) => {
    const data = new Float32Array(weight.shape.reduce((size, dim) => size * dim, 1));
    weight.read(data);
    return { name: weight.name, shape: weight.shape, data };
  });
  close();
  return tensors;
}

const bitsOf = ({ buffer, byteOffset, byteLength }: Float32Array | Uint8Array) =>
  Buffer.from(buffer, byteOffset, byteLength);

test('the bytes are those of the Python library', () => {
  const python = path.join(fixtures, 'float32/model.safetensors');
  expect(bytesOf(readFile(python).reverse()).equals(fs.readFileSync(python))).toBe(true);
});

test('what is written is read back, bit by bit', () => {
  const tensor = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }).chain((shape) => {
    const length = shape.reduce((size, dim) => size * dim, 1);
    return fc.record({
      name: fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'a.b', '0', '"', '\\')),
      shape: fc.constant(shape),
      data: fc.float32Array({ minLength: length, maxLength: length }),
    });
  });
  const tensors = fc
    .uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 6 })
    .filter((all) => all.every(({ name }) => name !== '__metadata__'));
  fc.assert(
    fc.property(tensors, (written) => {
      fs.writeFileSync(place, bytesOf(written));
      const read = new Map(readFile(place).map((each) => [each.name, each]));
      expect(read.size).toBe(written.length);
      for (const { name, shape, data } of written) {
        expect(read.get(name)!.shape).toEqual(shape);
        expect(Buffer.compare(bitsOf(read.get(name)!.data), bitsOf(data))).toBe(0);
      }
    }),
    { numRuns: 50, seed: 3 },
  );
});

test('data begins at a multiple of 8', () => {
  for (let length = 1; length <= 9; length++) {
    const bytes = bytesOf([{ name: 'x'.repeat(length), shape: [1], data: Float32Array.of(1) }]);
    expect(Number(bytes.readBigUInt64LE()) % 8).toBe(0);
  }
});

describe('tensors that cannot be saved', () => {
  const data = new Float32Array(6);
  test.each<[string, TensorToSave[], string]>([
    ['a wrong shape', [{ name: 'a', shape: [2, 4], data }], 'a has 6 elements, its shape [2, 4] takes 8.'],
    ['a negative dimension', [{ name: 'a', shape: [-2, -3], data }], 'a has 6 elements, its shape [-2, -3]'],
    [
      'one name twice',
      [data, data].map((each) => ({ name: 'a', shape: [6], data: each })),
      'the weight name a occurs twice.',
    ],
    ['the reserved name', [{ name: '__metadata__', shape: [6], data }], 'the weight name __metadata__ occurs twice.'],
  ])('%s', (_, tensors, message) => {
    expect(() => safetensorsPieces(tensors)).toThrow(message);
  });
});

describe('broken headers', () => {
  const file = (header: unknown, dataBytes = 8, length?: bigint) => {
    const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(length ?? BigInt(text.length));
    return Buffer.concat([size, text, Buffer.alloc(dataBytes)]);
  };
  const a = (change: object) => ({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...change } });

  test.each<[string, Buffer, RegExp]>([
    [
      'no header',
      Buffer.alloc(5),
      /x\.safetensors ends at byte 5, before its header\. Download it again or check the disk\./,
    ],
    ['a header beyond the file', file(a({}), 8, 1000n), /ends at byte 70, within its header of 1000 bytes/],
    [
      'an absurd header',
      file(a({}), 8, 2n ** 63n),
      /announces a header of 9223372036854776000 bytes, more than the 100000000/,
    ],
    ['a header that is no JSON', file('{"a":'), /cannot be read as JSON/],
    ['a list as header', file('[]'), /holds a list where a JSON object is due/],
    ['a name twice', file('{"a":{"dtype":"F32"},"a":{}}'), /names "a" twice/],
    ['a name twice, escaped', file('{"a":{"dtype":"F32"},"\\u0061":{}}'), /names "a" twice/],
    [
      'names that only look alike',
      file('{"a\\"{":{"dtype":"}"},"a":{"b":"\\\\"}}'),
      /holds a"{ as "}", an unknown element type/,
    ],
    [
      'deep nesting',
      file(`{"a":{"dtype":${'['.repeat(1e6)}${']'.repeat(1e6)}}}`),
      /holds a as a list, an unknown element type/,
    ],
    ['a million escapes', file(`{"__metadata__":{"a":"${'\\n'.repeat(1e6)}"}}`), /goes on to byte/],
    ['data cut off', file(a({}), 7), /ends at byte 69, its header promises 70\. Download it again or check the disk\./],
    ['data left over', file(a({}), 9), /goes on to byte 71, its header describes 70/],
    [
      'an unknown element type',
      file(a({ dtype: 'F8_E4M3' })),
      /holds a as "F8_E4M3", an unknown element type\. Convert/,
    ],
    ['no element type', file({ a: 3 }), /holds a as undefined, an unknown element type/],
    ['a prototype as element type', file(a({ dtype: 'constructor' })), /an unknown element type/],
    ['no shape', file(a({ shape: undefined })), /gives a the shape undefined/],
    ['a negative shape', file(a({ shape: [-2] })), /gives a the shape \[-2\]/],
    ['a fractional shape', file(a({ shape: [1.5] })), /gives a the shape \[1\.5\]/],
    ['a million axes', file(a({ shape: new Array(1e6).fill(1) })), /gives a the shape a list/],
    ['a shape of other length', file(a({ shape: [3] })), /gives a 8 bytes, its shape \[3\] in F32 takes 12/],
    ['an infinite shape', file(a({ shape: [2 ** 52, 2 ** 52] })), /gives a 8 bytes, its shape/],
    ['three offsets', file(a({ data_offsets: [0, 8, 9] })), /gives a the offsets \[0,8,9\]/],
    ['negative offsets', file(a({ data_offsets: [-8, 0] })), /gives a the offsets \[-8,0\]/],
    ['offsets backwards', file(a({ data_offsets: [8, 0] })), /gives a -8 bytes/],
    ['a gap', file(a({ data_offsets: [4, 12] }), 12), /has 4 bytes between the header and a that belong to no weight/],
    [
      'an overlap',
      file({ ...a({}), b: { dtype: 'F32', shape: [2], data_offsets: [4, 12] } }, 12),
      /lets b begin at 4, where a ends at 8: they overlap/,
    ],
  ])('%s', (_, bytes, message) => {
    fs.writeFileSync(place, bytes);
    expect(() => openWeights(place)).toThrow(Seq2SeqError);
    expect(() => openWeights(place)).toThrow(message);
  });
});

test('a tensor beyond 4 GiB is read from its place', () => {
  const begin = 5 * 2 ** 30;
  const header = JSON.stringify({
    large: { dtype: 'F32', shape: [begin / 4], data_offsets: [0, begin] },
    last: { dtype: 'BF16', shape: [2], data_offsets: [begin, begin + 4] },
  });
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(header.length));
  // Sparse: takes next to no room on the disk.
  const file = fs.openSync(place, 'w');
  fs.writeSync(file, Buffer.concat([start, Buffer.from(header)]));
  fs.writeSync(file, Buffer.from([0x80, 0x3f, 0x00, 0xc0]), 0, 4, 8 + header.length + begin);
  fs.closeSync(file);
  const { weights, close } = openWeights(place);
  const into = new Float32Array(2);
  weights.get('last')!.read(into);
  expect([...into]).toEqual([1, -2]);
  close();
  fs.rmSync(place);
});
