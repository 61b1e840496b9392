import { describe, expect, test } from 'vitest';
import { Random } from '../data/index.js';
import { compile, Program, Tensor } from '../engine/index.js';
import {
  add,
  broadcast,
  cast,
  concat,
  constant,
  type DType,
  type DTypeArrays,
  gather,
  gradient,
  input,
  linear,
  matmul,
  multiply,
  negate,
  type OpName,
  packRows,
  parameter,
  parameterRows,
  product,
  relu,
  reshape,
  softmax,
  sum,
  tanh,
  transpose,
  unpackRows,
  type Value,
  writeRows,
} from '../graph/index.js';
import { evaluate, type Feeds, fill, type NdArray } from '../graph/interpret.js';
import { awayFromZero, buildExample, EXAMPLE_SIZES, feedExample, opExamples } from '../graph/op-examples.js';
import { lower, lowerToNodes } from './lower.js';
import { encodeModel } from './proto.js';

const entries = Object.entries(opExamples) as [OpName, (typeof opExamples)[OpName]][];

const arrays: { readonly [K in DType]: (data: Float64Array) => DTypeArrays[K] } = {
  float32: (data) => Float32Array.from(data),
  int32: (data) => Int32Array.from(data),
  int64: (data) => BigInt64Array.from(data, BigInt),
  uint8: (data) => Uint8Array.from(data),
  bool: (data) => Uint8Array.from(data),
};

/** What a program takes, from what the interpreter takes; `w[2:4]` is cut out of `w`. */
function tensorsFor(inputs: readonly { name: string; dtype: DType }[], feeds: Feeds): Record<string, Tensor> {
  return Object.fromEntries(
    inputs.map(({ name, dtype }) => {
      const [, whole, start, end] = /^(\w+)\[(\d+):(\d+)\]$/.exec(name) ?? [undefined, name];
      const { shape, data } = feeds[whole!]!;
      if (start === undefined) return [name, Tensor.from(arrays[dtype](data), shape, dtype as never)];
      const width = data.length / shape[0]!;
      const rows = arrays[dtype](data.subarray(Number(start) * width, Number(end) * width));
      return [name, Tensor.from(rows, [Number(end) - Number(start), ...shape.slice(1)], dtype as never)];
    }),
  );
}

const rounded = (feeds: Feeds): Feeds =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { shape, data }]) => [name, { shape, data: data.map(Math.fround) }]),
  );

/** Floats to 1e-5 of the largest, everything else exactly. */
function expectSame(actual: Tensor, expected: NdArray, name: string): void {
  expect(actual.shape, name).toEqual(expected.shape);
  const tolerance = actual.dtype === 'float32' ? 1e-5 * Math.max(1, ...expected.data.map(Math.abs)) : 0;
  const worst = Math.max(0, ...expected.data.map((value, i) => Math.abs(Number(actual.data[i]) - value)));
  expect(worst, `${name}: ${actual.data} instead of ${expected.data}`).toBeLessThanOrEqual(tolerance);
}

/** Runs the graph, compiled once, on all feeds and holds each result against the interpreter. */
async function expectEngineAgrees(outputs: Readonly<Record<string, Value>>, ...runs: Feeds[]): Promise<void> {
  using program = compile(outputs, { threads: 1 });
  await expectAgreement(program, outputs, runs);
}

async function expectAgreement(
  program: Program,
  outputs: Readonly<Record<string, Value>>,
  runs: readonly Feeds[],
): Promise<void> {
  for (const feeds of runs.map(rounded)) {
    const results = await program.run(tensorsFor(program.signature.inputs, feeds));
    const expected = evaluate(outputs, feeds);
    for (const name of Object.keys(outputs)) expectSame(results[name]!, expected[name]!, name);
  }
}

/** Every value of the gradients of Σ y·y. */
function gradientsOf(y: Value, weights: readonly Value[]): Record<string, Value> {
  const axes = y.shape.map((_, axis) => axis);
  const gradients = gradient(sum(multiply(y, y), axes), weights);
  return Object.fromEntries(
    [...gradients].flatMap(([name, { pieces, rows }]) => [
      ...pieces.map(({ start, value }) => [`d${name}.${start}`, value] as const),
      ...rows.flatMap(({ ids, rows }, i) => [[`${name}.ids.${i}`, ids] as const, [`${name}.rows.${i}`, rows] as const]),
    ]),
  );
}

const random = (seed: number, ...shape: number[]) => {
  const numbers = new Random(seed);
  return fill(shape, () => awayFromZero(numbers));
};
const list = (...values: number[]): NdArray => ({ shape: [values.length], data: Float64Array.from(values) });

describe.each(entries)('%s', (op, examples) => {
  test.each(examples.map((example) => [example]))('example %#, in two sizes', async (example) => {
    const { outputs } = buildExample(example);
    const named = Object.fromEntries(outputs.map((value, i) => [`y${i}`, value]));
    await expectEngineAgrees(named, ...EXAMPLE_SIZES.map((sizes) => feedExample(example, sizes)));
  });

  test('with operations of the standard alone', async () => {
    for (const example of examples) {
      const { outputs } = buildExample(example);
      const named = Object.fromEntries(outputs.map((value, i) => [`y${i}`, value]));
      if (op.startsWith('quantized')) {
        expect(() => lowerToNodes(named, { standardOnly: true })).toThrow(`onnx: the standard has nothing like ${op}.`);
        continue;
      }
      const { model, ...signature } = lowerToNodes(named, { standardOnly: true });
      expect(model.nodes.filter(({ domain }) => domain !== undefined)).toEqual([]);
      using program = Program.create(encodeModel(model), signature, { threads: 1 });
      await expectAgreement(program, named, [feedExample(example, EXAMPLE_SIZES[0]!)]);
    }
  });

  const differentiable = examples.filter((example) => example.differentiable);
  if (differentiable.length === 0) return;
  test('gradients', async () => {
    for (const example of differentiable) {
      const sizes = EXAMPLE_SIZES[0]!;
      const { outputs, weights } = buildExample(example, sizes);
      await expectEngineAgrees(gradientsOf(outputs[0]!, weights), feedExample(example, sizes));
    }
  });
});

describe('sizes that only a run knows', () => {
  /** Two heads of 2 features; sequences of `lengths` as rows, padded to a rectangle. */
  const attention = (() => {
    const x = input('x', 'float32', ['tokens', 4]);
    const padIndex = input('padIndex', 'int32', ['batch*length']);
    const packIndex = input('packIndex', 'int32', ['tokens']);
    const bias = input('bias', 'float32', ['batch', 1, 1, 'length']);
    const weights = ['q', 'k', 'v'].map((name) => parameter(name, [4, 4]));
    const [q, k, v] = weights.map((weight) => {
      const rectangle = unpackRows(linear(x, weight), padIndex, packIndex);
      return transpose(reshape(rectangle, ['batch', 'length', 2, 2]), [0, 2, 1, 3]);
    }) as [Value, Value, Value];
    const mixed = matmul(softmax(add(matmul(q, k, { transposeB: true, scale: 0.7 }), bias)), v);
    const y = packRows(reshape(transpose(mixed, [0, 2, 1, 3]), ['batch*length', 4]), packIndex, padIndex);
    return { y, weights };
  })();

  const ragged = (lengths: readonly number[]): Feeds => {
    const [batch, length] = [lengths.length, Math.max(...lengths)];
    const tokens = lengths.reduce((a, b) => a + b);
    const isReal = (slot: number) => slot % length < lengths[Math.floor(slot / length)]!;
    const slots = Array.from({ length: batch * length }, (_, slot) => slot);
    const packIndex = slots.filter(isReal);
    return {
      x: random(1, tokens, 4),
      q: random(2, 4, 4),
      k: random(3, 4, 4),
      v: random(4, 4, 4),
      packIndex: list(...packIndex),
      padIndex: list(...slots.map((slot) => (isReal(slot) ? packIndex.indexOf(slot) : tokens))),
      bias: { shape: [batch, 1, 1, length], data: Float64Array.from(slots, (slot) => (isReal(slot) ? 0 : -1e9)) },
    };
  };

  test('attention over ragged rows and its gradient, in three sizes', async () => {
    const outputs = { y: attention.y, ...gradientsOf(attention.y, attention.weights) };
    await expectEngineAgrees(outputs, ragged([3, 1]), ragged([2, 4, 4]), ragged([5]));
  });

  test('shapes of products of symbols, and of sums along an axis', async () => {
    const [x, y] = [input('x', 'float32', ['n', 'm', 2]), input('y', 'float32', ['k', 2])];
    const joined = concat([reshape(x, ['n*m', 2]), y], 0);
    const outputs = {
      turned: reshape(x, ['m', 2, 'n']),
      flat: reshape(joined, [product(joined.shape)]),
      spread: broadcast(constant([1, 2]), joined.shape),
    };
    const feeds = (n: number, m: number, k: number) => ({ x: random(1, n, m, 2), y: random(2, k, 2) });
    await expectEngineAgrees(outputs, feeds(2, 3, 1), feeds(4, 1, 2));
  });

  test('a size may be shown by an input that was made after its use', async () => {
    const flat = input('flat', 'float32', ['n*m']);
    const table = reshape(flat, ['n', 'm']);
    const outputs = { y: multiply(table, input('scale', 'float32', ['n', 'm'])) };
    const feeds = (n: number, m: number) => ({ flat: random(1, n * m), scale: random(2, n, m) });
    await expectEngineAgrees(outputs, feeds(2, 3), feeds(4, 1));
  });

  test('a size that no input shows is refused', () => {
    const flat = input('flat', 'float32', ['n*m']);
    expect(() => lower({ y: reshape(flat, ['n', 'm']) })).toThrow('onnx: no input shows the size of "m".');
  });
});

describe('names', () => {
  const x = input('x', 'float32', ['n']);
  const feeds = { x: random(1, 3) };

  test('an input handed straight out, also twice', async () => {
    await expectEngineAgrees({ copy: x }, feeds);
    await expectEngineAgrees({ copy: x, again: x, negated: negate(x) }, feeds);
  });

  test('one value under two names', async () => {
    const y = relu(x);
    await expectEngineAgrees({ first: y, second: y, sum: add(y, y) }, feeds);
  });

  test('weights and constants handed straight out', async () => {
    const w = parameter('w', [3, 2]);
    const outputs = { whole: w, rows: parameterRows(w, 1, 2), one: constant(1) };
    await expectEngineAgrees(outputs, { w: random(2, 3, 2) });
  });

  test('one input, or weight, made twice is one', async () => {
    const outputs = { y: add(x, input('x', 'float32', ['n'])) };
    expect(lower(outputs).inputs.map(({ name }) => name)).toEqual(['x']);
    await expectEngineAgrees(outputs, feeds);
  });

  test('two inputs of one name are refused', () => {
    const others = [input('x', 'int32', ['n']), input('x', 'float32', [3])];
    for (const other of others) {
      expect(() => lower({ a: relu(x), b: cast(other, 'int64') })).toThrow(
        /"x" enters the graph twice, as float32\[n\] and as/,
      );
    }
  });

  test('an output that bears the name of an input is refused', () => {
    const message = 'onnx: "x" names both an output and something that is fed. Rename the output.';
    expect(() => lower({ x: relu(x) })).toThrow(message);
    expect(() => lower({ x: input('y', 'float32', ['n']), sum: add(x, x) })).toThrow(message);
    expect(() => lower({ x })).toThrow(message);
  });
});

describe('writeRows', () => {
  test('writes in place where its output is its own input', async () => {
    const cache = input('cache', 'float32', ['slots', 2]);
    const at = input('at', 'int64', ['k', 1]);
    const rows = input('rows', 'float32', ['k', 2]);
    using program = compile({ written: writeRows(cache, at, negate(rows)) }, { threads: 1 });
    const memory = Tensor.from(Float32Array.from([1, 2, 3, 4, 5, 6]), [3, 2]);
    const inputs = {
      cache: memory,
      at: Tensor.from(BigInt64Array.of(2n, 0n), [2, 1]),
      rows: Tensor.from(Float32Array.of(7, 8, 9, 10), [2, 2]),
    };
    const { written } = await program.run(inputs, { written: memory });
    expect(written).toBe(memory);
    expect([...memory.data]).toEqual([-9, -10, 3, 4, -7, -8]);
    const { written: elsewhere } = await program.run({ ...inputs, cache: Tensor.zeros('float32', [3, 2]) });
    expect([...elsewhere!.data]).toEqual([-9, -10, 0, 0, -7, -8]);
  });
});

describe('constantParameters', () => {
  const x = input('x', 'float32', ['n', 3]);
  const w = parameter('w', [4, 3]);
  const outputs = { y: linear(x, w), row: tanh(gather(parameterRows(w, 1, 2), constant([1], 'int32'))) };

  test('takes weights once, when the program is made', async () => {
    const lowered = lower(outputs, { constantParameters: true });
    expect(lowered.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(lowered.constants).toEqual([
      { name: 'w', dtype: 'float32', shape: [4, 3] },
      { name: 'w[1:3]', dtype: 'float32', shape: [2, 3] },
    ]);
    const feeds = rounded({ x: random(1, 2, 3), w: random(2, 4, 3) });
    const constants = tensorsFor(lowered.constants, feeds);
    using program = Program.create(lowered.model, lowered, { threads: 1, constants });
    const results = await program.run(tensorsFor(lowered.inputs, feeds));
    const expected = evaluate(outputs, feeds);
    expectSame(results.y!, expected.y, 'y');
    expectSame(results.row!, expected.row, 'row');
  });

  test('otherwise they are inputs', () => {
    const { inputs, constants } = lower(outputs);
    expect(inputs.map(({ name }) => name)).toEqual(['x', 'w', 'w[1:3]']);
    expect(constants).toEqual([]);
  });
});
