import { describe, expect, it } from 'vitest';
import { add, gather, input, matmul, parameter, transpose, type Value } from '../graph/index.js';
import { encodeModel } from '../onnx/index.js';
import { compile, Program, Tensor, type Tensors } from './index.js';

const vector = (...values: number[]) => Tensor.from(Float32Array.of(...values), [values.length]);
const matrix = (rows: number, columns: number, at: (row: number, column: number) => number) =>
  Tensor.from(
    Float32Array.from({ length: rows * columns }, (_, i) => at(Math.floor(i / columns), i % columns)),
    [rows, columns],
  );

const x = input('x', 'float32', ['n', 40]);
const ids = input('ids', 'int64', ['n']);
const weight = parameter('weight', [40, 50]);
const bias = parameter('bias', [50]);
const table = parameter('table', [50, 40]);

const constants = {
  weight: matrix(40, 50, (row, column) => Math.sin(row + 2 * column)),
  bias: Tensor.from(
    Float32Array.from({ length: 50 }, (_, i) => i / 10),
    [50],
  ),
  table: matrix(50, 40, (row, column) => row - column),
};

describe('constants', () => {
  it.each<[string, Record<string, Value>, Tensors]>([
    ['prepacked', { y: add(matmul(x, weight), bias) }, { weight: constants.weight, bias: constants.bias }],
    ['folded', { y: matmul(x, transpose(table, [1, 0])) }, { table: constants.table }],
    ['read as they are', { y: add(gather(table, ids), x) }, { table: constants.table }],
  ])('give what inputs give, where they are %s', (_, outputs, bound) => {
    const feeds: Record<string, Tensor> = { x: matrix(3, 40, (row, column) => row + column / 8) };
    if (bound.table && !bound.weight && outputs.y!.node.op === 'add')
      feeds.ids = Tensor.from(BigInt64Array.of(0n, 7n, 49n), [3]);
    const expected = compile(outputs).runSync({ ...feeds, ...bound }).y!;
    const actual = compile(outputs, { constants: bound }).runSync(feeds).y!;
    expect(actual.shape).toEqual(expected.shape);
    for (const [i, value] of expected.data.entries()) expect(actual.data[i]).toBeCloseTo(Number(value), 4);
  });

  it('stay alive as long as the program, whatever becomes of the tensor', () => {
    const bound = { bias: vector(...Array.from({ length: 50 }, (_, i) => i)) };
    const program = compile({ y: add(input('x', 'float32', [50]), bias) }, { constants: bound });
    bound.bias.dispose();
    const { y } = program.runSync({ x: Tensor.zeros('float32', [50]) });
    expect(y!.data).toEqual(Float32Array.from({ length: 50 }, (_, i) => i));
    program.dispose();
  });

  it('are read where they lie: a large table costs no second copy', () => {
    const rows = 32_768; // 32 MB
    const large = Tensor.zeros('float32', [rows, 256]);
    const lookup = gather(parameter('table', [rows, 256]), ids);
    const before = process.memoryUsage().rss;
    const program = compile({ y: lookup }, { constants: { table: large } });
    expect(process.memoryUsage().rss - before).toBeLessThan(24e6);
    large.data[256] = 5;
    expect(program.runSync({ ids: Tensor.from(BigInt64Array.of(1n), [1]) }).y!.data[0]).toBe(5);
    program.dispose();
  });

  it('serve several programs at once', () => {
    const shared = { bias: vector(...new Array(50).fill(1)) };
    const programs = [1, 2, 3].map((factor) =>
      compile({ y: add(input('x', 'float32', [factor, 50]), bias) }, { constants: shared }),
    );
    programs[0]!.dispose();
    expect(programs[1]!.runSync({ x: Tensor.zeros('float32', [2, 50]) }).y!.data[99]).toBe(1);
    expect(programs[2]!.runSync({ x: Tensor.zeros('float32', [3, 50]) }).y!.data[149]).toBe(1);
  });
});

describe('constants that do not fit the model', () => {
  const signature = {
    inputs: [{ name: 'x', dtype: 'float32', shape: ['n'] }],
    outputs: [{ name: 'y', dtype: 'float32', shape: ['n'] }],
  } as const;

  function create(external: boolean, given: Tensors): Program {
    const values = external ? { external: true as const } : { data: new Float32Array(1) };
    const model = encodeModel({
      ...signature,
      nodes: [{ op: 'Add', inputs: ['x', 'w'], outputs: ['y'] }],
      initializers: [{ name: 'w', dtype: 'float32', shape: [1], ...values }],
      opset: 20,
    });
    return Program.create(model, signature, { name: 'sum', constants: given });
  }

  it('are errors', () => {
    expect(create(true, { w: vector(3) }).runSync({ x: vector(1, 2) }).y!.data).toEqual(Float32Array.of(4, 5));
    expect(() => create(true, {})).toThrow(/load program "sum".*initializer: w.*a constant from memory/);
    expect(() => create(true, { w: vector(1, 2) })).toThrow('dimensions do not match');
    expect(() => create(true, { w: Tensor.zeros('int32', [1]) })).toThrow('data type does not match');
    expect(() => create(true, { w: vector(1), v: vector(1) })).toThrow('existing initializer with name v');
    expect(() => create(false, { w: vector(1) })).toThrow('non-external initializer');
    expect(() => create(true, { w: Float32Array.of(1) as never })).toThrow('constant "w" is not a Tensor');
    const disposed = vector(1);
    disposed.dispose();
    expect(() => create(true, { w: disposed })).toThrow('constant "w" was disposed');
  });

  it('are named with what the graph expects', () => {
    const sum = { y: add(input('x', 'float32', [50]), bias) };
    const given = (tensors: Tensors) => () => compile(sum, { name: 'sum', constants: tensors });
    expect(given({})).toThrow('engine: sum: constant "bias" was not given. It must be float32[50].');
    expect(given({ bias: vector(1) })).toThrow('constant "bias" is float32[1]. It must be float32[50].');
    expect(given({ ...constants })).toThrow('the graph has no weight "weight".');
  });
});
