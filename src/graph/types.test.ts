import { describe, expect, test } from 'vitest';
import {
  add,
  broadcast,
  cast,
  concat,
  constant,
  dropout,
  gather,
  gatherElements,
  greater,
  input,
  layerNorm,
  linear,
  linearLogSumExp,
  logSumExp,
  matmul,
  max,
  outputsOf,
  packRows,
  parameter,
  parameterRows,
  relu,
  reshape,
  slice,
  softmax,
  sum,
  topK,
  transpose,
  unpackRows,
  where,
  writeRows,
} from './build.js';
import { evaluate, type Shape } from './dims.js';
import type { DType } from './dtype.js';
import { formatType, type Value, within } from './node.js';
import { buildExample, EXAMPLE_SIZES, opExamples } from './op-examples.js';
import { broadcastShapes } from './types.js';

const f = (...shape: Shape) => input('x', 'float32', shape);
const of = (dtype: DType, ...shape: Shape) => input('x', dtype, shape);
const w = parameter('w', [4, 3]);
const typesOf = (value: Value) => outputsOf(value).map(formatType).join(' ');

describe('broadcasting', () => {
  test.each<[Shape, Shape, Shape | undefined]>([
    [[], [], []],
    [[2, 3], [3], [2, 3]],
    [
      ['n', 1],
      [1, 'm'],
      ['n', 'm'],
    ],
    [
      ['n', 3],
      [1, 1, 3],
      [1, 'n', 3],
    ],
    [['n'], [1], ['n']],
    [[2], [3], undefined],
    [['n'], ['m'], undefined],
    [['n'], [2], undefined],
  ])('[%s] and [%s]', (a, b, result) => {
    expect(broadcastShapes(a, b)).toEqual(result);
    expect(broadcastShapes(b, a)).toEqual(result);
  });
});

describe('types of results', () => {
  test.each<[Value, string]>([
    [add(f('n', 1), f(3)), 'float32[n, 3]'],
    [add(of('int32', 'n'), of('int32')), 'int32[n]'],
    [relu(f('n', 2)), 'float32[n, 2]'],
    [greater(of('int64', 'n', 1), of('int64', 2)), 'bool[n, 2]'],
    [where(of('bool', 'n', 1), f(3), f()), 'float32[n, 3]'],
    [where(of('bool', 2), of('int32', 2), of('int32')), 'int32[2]'],
    [cast(f('n'), 'int64'), 'int64[n]'],
    [dropout(f('n', 2), of('uint8', 'n', 2), 0.5), 'float32[n, 2]'],
    [constant(1), 'float32[]'],
    [constant([1, 2, 3, 4], 'int32', [2, 2]), 'int32[2, 2]'],
    [parameterRows(w, 1, 3), 'float32[3, 3]'],
    [reshape(f('batch', 'length', 8), ['length*batch', 2, 4]), 'float32[batch*length, 2, 4]'],
    [transpose(f('a', 'b', 'c'), [2, 0, 1]), 'float32[c, a, b]'],
    [broadcast(f('n', 1), [2, 'n', 3]), 'float32[2, n, 3]'],
    [concat([f('n', 2), f('m', 2), f(1, 2)], 0), 'float32[m+n+1, 2]'],
    [slice(f(5, 'n'), 0, 1, 3), 'float32[2, n]'],
    [slice(f('n'), 0, 0, 3), 'float32[3]'],
    [sum(f('n', 2, 3), [0, -1]), 'float32[2]'],
    [sum(f('n', 2), [0], true), 'float32[1, 2]'],
    [max(f('n', 2), [1]), 'float32[n]'],
    [topK(f('n', 5), 2).values, 'float32[n, 2] int64[n, 2]'],
    [matmul(f(2, 'n', 3), f(2, 3, 'm')), 'float32[2, n, m]'],
    [matmul(f(3, 'n'), f('m', 3), { transposeA: true, transposeB: true }), 'float32[n, m]'],
    [linear(f('n', 3), w, f(4)), 'float32[n, 4]'],
    [softmax(f('n', 2)), 'float32[n, 2]'],
    [logSumExp(f('n', 2)), 'float32[n, 1]'],
    [layerNorm(f('n', 2), f(2), f(2), 1e-5), 'float32[n, 2] float32[n, 1] float32[n, 1]'],
    [linearLogSumExp(f('n', 3), w, f(4)), 'float32[n, 1] float32[n, 4]'],
    [gather(w, of('int32', 'n', 2)), 'float32[n, 2, 3]'],
    [gather(of('int32', 5), of('int64')), 'int32[]'],
    [gatherElements(f('n', 5), of('int64', 'n', 2)), 'float32[n, 2]'],
    [unpackRows(f('t', 2), of('int32', 'r'), of('int32', 't')), 'float32[r, 2]'],
    [packRows(f('r', 2), of('int32', 't'), of('int32', 'r')), 'float32[t, 2]'],
    [writeRows(f('n', 4, 2), of('int64', 3, 2), f(3, 2)), 'float32[n, 4, 2]'],
  ])('%#', (value, types) => {
    expect(typesOf(value)).toBe(types);
  });

  test('what changes nothing makes no node', () => {
    const x = f('n', 2);
    expect([
      reshape(x, ['n', 2]),
      broadcast(x, ['n', 2]),
      cast(x, 'float32'),
      concat([x], 0),
      sum(x, []),
      max(x, []),
    ]).toEqual(Array(6).fill(x));
  });
});

describe('refusals name the operation, its operands and the reason', () => {
  const [ids, rows] = [of('int32', 'r'), of('int32', 't')];
  test.each<[() => Value | { values: Value }, string]>([
    [() => constant([1, 2, 3], 'float32', [2, 2]), 'constant(): 3 numbers do not fill [2, 2].'],
    [() => parameterRows(w, 2, 3), 'parameterRows(float32[4, 3]): rows 2:5 of a weight are needed.'],
    [() => parameterRows(w, 2, 0), 'parameterRows(float32[4, 3]): rows 2:2 of a weight are needed.'],
    [() => parameterRows(f(4, 3), 0, 2), 'parameterRows(float32[4, 3]): rows 0:2 of a weight are needed.'],

    [() => add(f(2), f(3)), 'add(float32[2], float32[3]): the shapes do not broadcast.'],
    [() => add(f(2), of('int32', 2)), 'add(float32[2], int32[2]): the operands have different element types.'],
    [() => relu(of('int32', 2)), 'relu(int32[2]): every operand must be float32.'],
    [() => logSumExp(of('int32', 2)), 'logSumExp(int32[2]): every operand must be float32.'],
    [() => greater(f('n'), f('m')), 'greater(float32[n], float32[m]): the shapes do not broadcast.'],
    [() => where(f(2), f(2), 0), 'where(float32[2], float32[2], float32[]): the condition must be bool.'],
    [
      () => where(of('bool', 2), f(), of('int32')),
      'where(float32[], int32[]): the operands have different element types.',
    ],
    [() => where(of('bool', 2), f(3), 0), 'where(bool[2], float32[3], float32[]): the shapes do not broadcast.'],
    [() => dropout(f(2), f(2), 0.1), 'dropout(float32[2], float32[2]): x must be float32, the mask uint8.'],
    [() => dropout(f(2), of('uint8', 1), 0.1), 'dropout(float32[2], uint8[1]): the mask must have the shape of x.'],
    [() => dropout(f(2), of('uint8', 2), 1), 'dropout(float32[2], uint8[2]): the rate 1 is outside [0, 1).'],

    [() => reshape(f('n', 2), ['m', 2]), 'reshape(float32[n, 2]): [m, 2] has another number of elements.'],
    [() => transpose(f(2, 3), [0, 0]), 'transpose(float32[2, 3]): [0,0] does not permute its axes.'],
    [() => transpose(f(2, 3), [0]), 'transpose(float32[2, 3]): [0] does not permute its axes.'],
    [() => broadcast(f(2, 3), [3]), 'broadcast(float32[2, 3]): it does not broadcast to [3].'],
    [() => broadcast(f('n'), ['m']), 'broadcast(float32[n]): it does not broadcast to [m].'],
    [() => concat([f(2, 3), f(2, 4)], 0), 'concat(float32[2, 3], float32[2, 4]): they do not fit along axis 0.'],
    [() => concat([f(2), of('int32', 2)], 0), 'concat(float32[2], int32[2]): they do not fit along axis 0.'],
    [() => concat([f(2), f(2)], 1), 'concat(float32[2], float32[2]): there is no axis 1.'],
    [() => concat([f(2), f(2)], -1), 'concat(float32[2], float32[2]): there is no axis -1.'],
    [() => concat([], 0), 'concat(): there is no axis 0.'],
    [() => slice(f(4), 0, 2, 5), 'slice(float32[4]): 2:5 lies outside axis 0.'],
    [() => slice(f(4), 0, 3, 2), 'slice(float32[4]): 3:2 lies outside axis 0.'],
    [() => slice(f(4), 1, 0, 1), 'slice(float32[4]): 0:1 lies outside axis 1.'],

    [() => sum(f(2, 3), [2]), 'sum(float32[2, 3]): axes [2] are outside rank 2.'],
    [() => max(f(2, 3), [0, -3]), 'max(float32[2, 3]): axes [0,-1] are outside rank 2.'],
    [() => topK(f(2, 3), 4), 'topK(float32[2, 3]): k = 4 is outside 1 … 3.'],
    [() => topK(f(2, 'n'), 0), 'topK(float32[2, n]): k = 0 is outside 1 … n.'],

    [() => matmul(f(2, 3), f(4, 5)), 'matmul(float32[2, 3], float32[4, 5]): the inner dimensions 3 and 4 differ.'],
    [
      () => matmul(f('n', 'm'), f('n', 2), { transposeB: true }),
      'matmul(float32[n, m], float32[n, 2]): the inner dimensions m and 2 differ.',
    ],
    [
      () => matmul(f(2, 3), f(3), { transposeB: true }),
      'matmul(float32[2, 3], float32[3]): the operands must have rank 2 or more and equal leading dimensions.',
    ],
    [
      () => matmul(f('n', 2, 3), f('m', 3, 2)),
      'matmul(float32[n, 2, 3], float32[m, 3, 2]): the operands must have rank 2 or more and equal leading dimensions.',
    ],
    [() => linear(f(2, 2, 3), w), 'linear(float32[2, 2, 3], float32[4, 3]): x and weight must have rank 2.'],
    [() => linear(f(2, 4), w), 'linear(float32[2, 4], float32[4, 3]): x has 4 features, the weight takes 3.'],
    [() => linear(f(2, 3), w, f(3)), 'linear(float32[2, 3], float32[4, 3], float32[3]): the bias must be [4].'],
    [() => linearLogSumExp(f(2, 4), w), 'linearLogSumExp(float32[2, 4], float32[4, 3]): x has 4 features'],
    [
      () => layerNorm(f('n', 2), f(3), f(2), 1e-5),
      'layerNorm(float32[n, 2], float32[3], float32[2]): weight and bias must be [2].',
    ],

    [() => gather(w, f(2)), 'gather(float32[4, 3], float32[2]): ids must be int32 or int64.'],
    [() => gatherElements(f(2, 3), f(2, 3)), 'gatherElements(float32[2, 3], float32[2, 3]): indices must be int32 or'],
    [
      () => gatherElements(f('n', 3), of('int64', 'm', 3)),
      'gatherElements(float32[n, 3], int64[m, 3]): all but the last dimension must agree.',
    ],
    [
      () => unpackRows(f('t', 2), of('int64', 'r'), rows),
      'unpackRows(float32[t, 2], int64[r], int32[t]): the indices must be int32 of rank 1.',
    ],
    [
      () => packRows(f('r', 2), rows, of('int32', 'r', 1)),
      'packRows(float32[r, 2], int32[t], int32[r, 1]): the indices must be int32 of rank 1.',
    ],
    [
      () => packRows(f('r', 2), ids, rows),
      'packRows(float32[r, 2], int32[r], int32[t]): the inverse index must have one entry for each row of x.',
    ],
    [
      () => writeRows(f(4, 2), of('int32', 1, 1), f(1, 2)),
      'writeRows(float32[4, 2], int32[1, 1], float32[1, 2]): the index must be int64.',
    ],
    [
      () => writeRows(f(4, 2), of('int64', 1, 3), f(1)),
      'writeRows(float32[4, 2], int64[1, 3], float32[1]): index tuples of 3 do not address rank 2.',
    ],
    [
      () => writeRows(f(4, 2), of('int64', 1, 'n'), f(1)),
      'writeRows(float32[4, 2], int64[1, n], float32[1]): index tuples of n do not address rank 2.',
    ],
    [
      () => writeRows(f(4, 2), of('int64', 3, 1), f(2, 2)),
      'writeRows(float32[4, 2], int64[3, 1], float32[2, 2]): the rows must be [3, 2].',
    ],
  ])('%#', (build, message) => {
    expect(build).toThrow(`graph: ${message}`);
  });

  test('and the part of the model', () => {
    const build = () => within('encoder', () => within('layers.0', () => add(f(2), f(3))));
    expect(build).toThrow('graph: add(float32[2], float32[3]) in encoder.layers.0: the shapes do not broadcast.');
    expect(() => add(f(2), f(3)), 'the scope ends, also after an error').toThrow(/^graph: add\(.*\): the/);
  });

  test('dimensions that are none', () => {
    expect(() => f('2 n')).toThrow('graph: "2 n" is not a dimension.');
    expect(() => reshape(f(3), [1.5, 2])).toThrow('graph: "1.5" is not a dimension.');
  });
});

test('symbols stand for numbers: types of symbolic graphs are those of numeric ones', () => {
  for (const [op, examples] of Object.entries(opExamples)) {
    for (const example of examples) {
      for (const sizes of EXAMPLE_SIZES) {
        const bound = ({ dtype, shape }: Value) => ({ dtype, shape: shape.map((dim) => evaluate(dim, sizes)) });
        const [symbolic, numeric] = [buildExample(example).outputs, buildExample(example, sizes).outputs];
        expect(symbolic.map(bound), op).toEqual(numeric.map(({ dtype, shape }) => ({ dtype, shape })));
      }
    }
  }
});
