import { describe, expect, test } from 'vitest';
import {
  add,
  constant,
  divide,
  gelu,
  input,
  layerNorm,
  linearLogSumExp,
  matmul,
  outputsOf,
  parameter,
  parameterRows,
  reshape,
  softmax,
  sum,
  topK,
  transpose,
  writeRows,
} from './build.js';
import { sum as sumDims } from './dims.js';
import { erf, evaluate, type NdArray } from './interpret.js';
import type { Value } from './node.js';

const array = (shape: number[], data: number[]): NdArray => ({ shape, data: Float64Array.from(data) });
const valuesOf = (...values: Value[]) =>
  Object.values(evaluate(Object.fromEntries(values.entries()), {})).map(({ data }) => [...data]);
const matrix = constant([1, 2, 3, 4, 5, 6], 'float32', [2, 3]);

describe('formulas, against numbers from elsewhere', () => {
  // Abramowitz and Stegun, table 7.1
  test.each([
    [0, 0],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [-2, -0.9953222650189527],
    [4, 0.9999999845827421],
    [9, 1],
  ])('erf(%f)', (x, expected) => {
    expect(erf(x)).toBeCloseTo(expected, 14);
  });

  // The following are PyTorch's, in float64.
  test('gelu, softmax, layerNorm, linearLogSumExp', () => {
    expect(valuesOf(gelu(constant([-1, 2])))[0]).toEqual([
      expect.closeTo(-0.15865525393145702, 14),
      expect.closeTo(1.9544997361036416, 14),
    ]);
    expect(valuesOf(softmax(constant([1, 2, 4])))[0]).toEqual(
      [0.04201006613406605, 0.11419519938459449, 0.8437947344813395].map((x) => expect.closeTo(x, 14)),
    );
    const normalized = layerNorm(constant([1, 2, 6]), constant([1, 2, 3]), constant([0, 0, 1]), 1e-5);
    expect(valuesOf(...outputsOf(normalized))).toEqual(
      [[-0.9258191078240388, -0.9258191078240388, 5.166185985208174], [3], [0.4629095539120194]].map((row) =>
        row.map((x) => expect.closeTo(x, 12)),
      ),
    );
    const projected = linearLogSumExp(constant([1, 2], 'float32', [1, 2]), matrixOf([0, 1, 1, 0]), constant([0.5, 0]));
    expect(valuesOf(...outputsOf(projected))).toEqual(
      [[2.7014132779827524], [0.8175744761936437, 0.18242552380635632]].map((row) =>
        row.map((x) => expect.closeTo(x, 14)),
      ),
    );
  });

  test('products, transposition, sums, ranking, writing', () => {
    expect(valuesOf(matmul(matrix, matrix, { transposeB: true, scale: 0.5 }))).toEqual([[7, 16, 16, 38.5]]);
    expect(valuesOf(matmul(matrix, matrix, { transposeA: true }))).toEqual([[17, 22, 27, 22, 29, 36, 27, 36, 45]]);
    expect(valuesOf(transpose(matrix, [1, 0]))).toEqual([[1, 4, 2, 5, 3, 6]]);
    expect(valuesOf(sum(matrix, [0]), sum(matrix, [1], true))).toEqual([
      [5, 7, 9],
      [6, 15],
    ]);
    const { values, indices } = topK(constant([3, 9, 3, 5]), 3);
    expect(valuesOf(values, indices)).toEqual([
      [9, 5, 3],
      [1, 3, 0],
    ]);
    const tuple = constant([1, 0], 'int64', [1, 2]);
    expect(valuesOf(writeRows(matrix, tuple, constant([9])))).toEqual([[1, 2, 3, 9, 5, 6]]);
    expect(valuesOf(divide(constant([7, -7], 'int32'), constant(2, 'int32')))).toEqual([[3, -3]]);
  });
});

describe('feeds', () => {
  const x = input('x', 'float32', ['n', 2]);

  test('bind symbols', () => {
    const flat = reshape(x, ['2*n']);
    const { y } = evaluate({ y: add(flat, 1) }, { x: array([2, 2], [1, 2, 3, 4]) });
    expect(y).toEqual(array([4], [2, 3, 4, 5]));
  });

  test('give rows of weights', () => {
    const rows = parameterRows(parameter('w', [3, 2]), 1, 2);
    expect(evaluate({ rows }, { w: array([3, 2], [1, 2, 3, 4, 5, 6]) }).rows).toEqual(array([2, 2], [3, 4, 5, 6]));
  });

  test('that do not fit are refused', () => {
    expect(() => evaluate({ x }, {})).toThrow('graph: evaluate: "x" is not fed.');
    expect(() => evaluate({ x }, { x: array([1, 3], [1, 2, 3]) })).toThrow('"x" is [n, 2], but [1, 3] was fed.');
    const other = input('other', 'float32', [sumDims(['n', 1])]);
    expect(() => evaluate({ x, other }, { x: array([1, 2], [1, 2]), other: array([3], [1, 2, 3]) })).toThrow(
      '"other" is [n+1], but [3] was fed.',
    );
    expect(() => evaluate({ other }, { other: array([3], [1, 2, 3]) }, new Map([['n', 2]]))).not.toThrow();
  });
});

function matrixOf(data: number[]): Value {
  return constant(data, 'float32', [2, 2]);
}
