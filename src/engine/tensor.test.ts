import { describe, expect, it } from 'vitest';
import type { TensorData } from '../graph/index.js';
import { Tensor } from './index.js';

describe('Tensor', () => {
  it('takes the array itself, and copies the shape', () => {
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    const shape = [2, 3];
    const tensor = Tensor.from(data, shape);
    shape[0] = 7;
    expect(tensor.data).toBe(data);
    expect(tensor.shape).toEqual([2, 3]);
    expect(tensor.length).toBe(6);
    expect(tensor.dtype).toBe('float32');
  });

  it.each([
    [new Float32Array(1), undefined, 'float32'],
    [new Int32Array(1), undefined, 'int32'],
    [new BigInt64Array(1), undefined, 'int64'],
    [new Uint8Array(1), undefined, 'uint8'],
    [new Uint8Array(1), 'bool', 'bool'],
    [Buffer.alloc(1), undefined, 'uint8'],
  ] as const)('finds the element type of %o, given %s: %s', (data, dtype, expected) => {
    expect(Tensor.from(data as Uint8Array, [1], dtype).dtype).toBe(expected);
  });

  it('makes zeros of any type and size', () => {
    expect(Tensor.zeros('int64', [2]).data).toEqual(BigInt64Array.of(0n, 0n));
    expect(Tensor.zeros('bool', [3, 0]).length).toBe(0);
    expect(Tensor.zeros('float32', []).length).toBe(1);
  });

  it.each([[[1.5]], [[-1]], [[Number.NaN]], [['1']], [[Number.POSITIVE_INFINITY]]])('refuses the shape %j', (shape) => {
    expect(() => Tensor.from(new Float32Array(1), shape as number[])).toThrow("engine: a tensor's sizes are integers");
    expect(() => Tensor.zeros('float32', shape as number[])).toThrow("engine: a tensor's sizes are integers");
  });

  it('refuses a shape that is no array', () => {
    expect(() => Tensor.from(new Float32Array(1), 1 as never)).toThrow("engine: a tensor's shape is an array");
    expect(() => Tensor.zeros('float32', undefined as never)).toThrow("engine: a tensor's shape is an array");
  });

  it("refuses a length that is not the shape's", () => {
    expect(() => Tensor.from(new Float32Array(5), [2, 3])).toThrow(
      'engine: a tensor of shape [2, 3] has 6 elements, but 5 were given.',
    );
  });

  it.each([new Float64Array(1), [1], undefined, null, 'x', new DataView(new ArrayBuffer(4)), new ArrayBuffer(4)])(
    'refuses %o as data',
    (data) => {
      expect(() => Tensor.from(data as unknown as TensorData, [1])).toThrow('engine: a tensor cannot be made of');
    },
  );

  it('refuses an array that is not of the type named', () => {
    expect(() => Tensor.from(new Float32Array(1) as TensorData, [1], 'int32')).toThrow(
      'engine: a tensor of int32 cannot be made of: Float32Array.',
    );
    expect(() => Tensor.from(new Float32Array(1), [1], 'toString' as never)).toThrow('engine: a tensor of toString');
    expect(() => Tensor.zeros('float64' as never, [1])).toThrow('engine: there are no tensors of float64');
  });

  it('says so when memory does not suffice', () => {
    expect(() => Tensor.zeros('float32', [2 ** 20, 2 ** 20, 2 ** 10])).toThrow('engine: no memory for a tensor');
  });

  it('can be disposed of again and again', () => {
    const tensor = Tensor.zeros('float32', [2]);
    tensor.dispose();
    tensor.dispose();
    expect(tensor.disposed).toBe(true);
    expect(tensor.data).toHaveLength(2);
  });
});
