import { expect, test } from 'vitest';
import {
  add,
  constant,
  gradient,
  input,
  linear,
  matmul,
  multiply,
  parameter,
  parameterRows,
  print,
  relu,
  reshape,
  softmax,
  sum,
  topK,
  transpose,
  type Value,
} from './index.js';

/** The gradients of weights used as a whole, by their names. */
const gradientsOf = (loss: Value, weights: readonly Value[]) =>
  Object.fromEntries([...gradient(loss, weights)].map(([name, { pieces }]) => [`d${name}`, pieces[0]!.value]));

test('a linear layer and its gradient', () => {
  const x = input('x', 'float32', ['tokens', 3]);
  const [weight, bias] = [parameter('weight', [4, 3]), parameter('bias', [4])];
  const loss = sum(relu(linear(x, weight, bias)), [0, 1]);
  expect(print({ loss, ...gradientsOf(loss, [weight, bias]) })).toMatchInlineSnapshot(`
    "%0: float32[tokens, 3] = input{name: x}()
    %1: float32[4, 3] = parameter{name: weight}()
    %2: float32[4] = parameter{name: bias}()
    %3: float32[tokens, 4] = linear(%0, %1, %2)
    %4: float32[tokens, 4] = relu(%3)
    %5: float32[] = sum{axes: [0, 1], keepDims: false}(%4)
    %6: float32[] = constant{data: [1]}()
    %7: float32[1, 1] = reshape{shape: [1, 1]}(%6)
    %8: float32[tokens, 4] = broadcast{shape: [tokens, 4]}(%7)
    %9: float32[] = constant{data: [0]}()
    %10: bool[tokens, 4] = greater(%4, %9)
    %11: float32[] = constant{data: [0]}()
    %12: float32[tokens, 4] = where(%10, %8, %11)
    %13: float32[4, 3] = matmul{transposeA: true, transposeB: false, scale: 1}(%12, %0)
    %14: float32[4] = sum{axes: [0], keepDims: false}(%12)
    loss = %5
    dweight = %13
    dbias = %14"
  `);
});

test('attention and its gradient', () => {
  const x = input('x', 'float32', ['batch*length', 8]);
  const bias = input('bias', 'float32', ['batch', 1, 1, 'length']);
  const weights = ['q', 'k', 'v'].map((name) => parameter(name, [8, 8]));
  const [q, k, v] = weights.map((weight) =>
    transpose(reshape(linear(x, weight), ['batch', 'length', 2, 4]), [0, 2, 1, 3]),
  ) as [Value, Value, Value];
  const scores = matmul(q, k, { transposeB: true, scale: 0.5 });
  const loss = sum(matmul(softmax(add(scores, bias)), v), [0, 1, 2, 3]);
  expect(print({ loss, ...gradientsOf(loss, weights) })).toMatchInlineSnapshot(`
    "%0: float32[batch*length, 8] = input{name: x}()
    %1: float32[batch, 1, 1, length] = input{name: bias}()
    %2: float32[8, 8] = parameter{name: q}()
    %3: float32[8, 8] = parameter{name: k}()
    %4: float32[8, 8] = parameter{name: v}()
    %5: float32[batch*length, 8] = linear(%0, %2)
    %6: float32[batch, length, 2, 4] = reshape{shape: [batch, length, 2, 4]}(%5)
    %7: float32[batch, 2, length, 4] = transpose{permutation: [0, 2, 1, 3]}(%6)
    %8: float32[batch*length, 8] = linear(%0, %3)
    %9: float32[batch, length, 2, 4] = reshape{shape: [batch, length, 2, 4]}(%8)
    %10: float32[batch, 2, length, 4] = transpose{permutation: [0, 2, 1, 3]}(%9)
    %11: float32[batch*length, 8] = linear(%0, %4)
    %12: float32[batch, length, 2, 4] = reshape{shape: [batch, length, 2, 4]}(%11)
    %13: float32[batch, 2, length, 4] = transpose{permutation: [0, 2, 1, 3]}(%12)
    %14: float32[batch, 2, length, length] = matmul{transposeA: false, transposeB: true, scale: 0.5}(%7, %10)
    %15: float32[batch, 2, length, length] = add(%14, %1)
    %16: float32[batch, 2, length, length] = softmax(%15)
    %17: float32[batch, 2, length, 4] = matmul{transposeA: false, transposeB: false, scale: 1}(%16, %13)
    %18: float32[] = sum{axes: [0, 1, 2, 3], keepDims: false}(%17)
    %19: float32[] = constant{data: [1]}()
    %20: float32[1, 1, 1, 1] = reshape{shape: [1, 1, 1, 1]}(%19)
    %21: float32[batch, 2, length, 4] = broadcast{shape: [batch, 2, length, 4]}(%20)
    %22: float32[batch, 2, length, length] = matmul{transposeA: false, transposeB: true, scale: 1}(%21, %13)
    %23: float32[batch, 2, length, 4] = matmul{transposeA: true, transposeB: false, scale: 1}(%16, %21)
    %24: float32[batch, 2, length, length] = multiply(%22, %16)
    %25: float32[batch, 2, length, 1] = sum{axes: [3], keepDims: true}(%24)
    %26: float32[batch, 2, length, length] = subtract(%22, %25)
    %27: float32[batch, 2, length, length] = multiply(%16, %26)
    %28: float32[batch, 2, length, 4] = matmul{transposeA: false, transposeB: false, scale: 0.5}(%27, %10)
    %29: float32[batch, 2, length, 4] = matmul{transposeA: true, transposeB: false, scale: 0.5}(%27, %7)
    %30: float32[batch, length, 2, 4] = transpose{permutation: [0, 2, 1, 3]}(%23)
    %31: float32[batch*length, 8] = reshape{shape: [batch*length, 8]}(%30)
    %32: float32[8, 8] = matmul{transposeA: true, transposeB: false, scale: 1}(%31, %0)
    %33: float32[batch, length, 2, 4] = transpose{permutation: [0, 2, 1, 3]}(%29)
    %34: float32[batch*length, 8] = reshape{shape: [batch*length, 8]}(%33)
    %35: float32[8, 8] = matmul{transposeA: true, transposeB: false, scale: 1}(%34, %0)
    %36: float32[batch, length, 2, 4] = transpose{permutation: [0, 2, 1, 3]}(%28)
    %37: float32[batch*length, 8] = reshape{shape: [batch*length, 8]}(%36)
    %38: float32[8, 8] = matmul{transposeA: true, transposeB: false, scale: 1}(%37, %0)
    loss = %18
    dq = %38
    dk = %35
    dv = %32"
  `);
});

test('several outputs, attributes and long constants', () => {
  const rows = parameterRows(parameter('table', [12, 9]), 3, 2);
  const ramp = constant([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  const { values, indices } = topK(multiply(rows, ramp), 2);
  expect(print({ best: values, where: indices, same: values })).toMatchInlineSnapshot(`
    "%0: float32[2, 9] = parameterRows{name: table, start: 3, count: 2}()
    %1: float32[9] = constant{data: [0, 1, 2, 3, 4, 5, 6, 7, …]}()
    %2: float32[2, 9] = multiply(%0, %1)
    %3: float32[2, 2], %4: int64[2, 2] = topK{k: 2}(%2)
    best = %3
    where = %4
    same = %3"
  `);
});
