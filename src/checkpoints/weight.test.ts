import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { InputFile } from './input-file.js';
import { StoredWeight, sizeOf, spanOf } from './weight.js';

const place = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'weight-')), 'elements');
const elements = Float32Array.from({ length: 3_000_000 }, (_, i) => i);
fs.writeFileSync(place, elements);
const file = new InputFile(place);
afterAll(() => {
  file.close();
  fs.rmSync(path.dirname(place), { recursive: true });
});

function read(shape: number[], strides: number[], offset = 0): Float32Array {
  const into = new Float32Array(sizeOf(shape));
  new StoredWeight('w', shape, 'float32', { file, position: offset * 4, strides }).read(into);
  return into;
}

/** Σ index·stride for every index, in row-major order. */
function positions(shape: number[], strides: number[]): number[] {
  return shape.reduce<number[]>(
    (before, size, axis) =>
      before.flatMap((start) => Array.from({ length: size }, (_, i) => start + i * strides[axis]!)),
    [0],
  );
}

test('any strides, overlapping, broadcast or skipping, reach the elements they describe', () => {
  const view = fc
    .array(fc.tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 20_000 })), { maxLength: 4 })
    .map((axes) => ({ shape: axes.map(([size]) => size), strides: axes.map(([, stride]) => stride) }))
    .filter(({ shape, strides }) => spanOf(shape, strides) < elements.length - 100);
  fc.assert(
    fc.property(view, fc.integer({ min: 0, max: 100 }), ({ shape, strides }, offset) => {
      expect(Array.from(read(shape, strides, offset))).toEqual(positions(shape, strides).map((at) => at + offset));
    }),
    { seed: 4 },
  );
});

test('a large transposed matrix', () => {
  const [rows, columns] = [1500, 2000];
  const transposed = read([columns, rows], [1, columns]);
  for (const [i, j] of [
    [0, 0],
    [1999, 1499],
    [17, 1000],
    [1000, 17],
  ] as const) {
    expect(transposed[i * rows + j]).toBe(j * columns + i);
  }
});

test('more than one piece of a contiguous tensor', () => {
  const whole = read([3, 1, 999_999], [999_999, 7, 1], 3);
  expect(Buffer.compare(Buffer.from(whole.buffer), Buffer.from(elements.buffer, 12))).toBe(0);
});

test('a file that got shorter since it was opened', () => {
  const weight = new StoredWeight('w', [4], 'float32', { file, position: elements.byteLength - 8, strides: [1] });
  expect(() => weight.read(new Float32Array(4))).toThrow(
    `checkpoint: ${place} ends at byte 12000000, bytes up to 12000008 are needed. Download it again or check the disk.`,
  );
});

test('every 16-bit pattern, over more than one piece, of an odd number of elements too', () => {
  const count = 3 * 65536 + 7;
  const stored = Uint16Array.from({ length: count }, (_, i) => i);
  const patterns = path.join(path.dirname(place), 'patterns');
  fs.writeFileSync(patterns, stored);
  const halves = new InputFile(patterns);
  const readAs = (dtype: 'float16' | 'bfloat16', length: number) => {
    const into = new Float32Array(length);
    new StoredWeight('w', [length], dtype, { file: halves, position: 0, strides: [1] }).read(into);
    return into;
  };
  const bits = (values: Float32Array) => Buffer.from(values.buffer);
  const upperHalf = new Float32Array(Uint32Array.from(stored, (pattern) => pattern << 16).buffer);
  // The fraction in its new place is the number but for the bias of the exponent, 15 in place of 127; 31 is for what is not finite.
  const shifted = new Float32Array(Uint32Array.from(stored, (pattern) => (pattern & 0x7fff) << 13).buffer);
  const half = shifted.map((value, i) => {
    const size = value * 2 ** 112;
    const magnitude = size < 65536 ? size : size === 65536 ? Number.POSITIVE_INFINITY : Number.NaN;
    return stored[i]! & 0x8000 ? -magnitude : magnitude;
  });
  for (const length of [1, 2, 65535, 65537, count]) {
    expect(Buffer.compare(bits(readAs('bfloat16', length)), bits(upperHalf.slice(0, length)))).toBe(0);
    const different = readAs('float16', length).findIndex((value, i) => !Object.is(value, half[i]));
    expect(different).toBe(-1);
  }
  halves.close();
});
