import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type DType, input, matmul, type Shape, tanh } from '../graph/index.js';
import { encodeModel, type OnnxModel } from '../onnx/index.js';
import { compile, Program, type ProgramOptions, type ProgramSignature, Tensor, type TensorSpec } from './index.js';

const spec = (name: string, shape: Shape, dtype: DType = 'float32'): TensorSpec => ({ name, dtype, shape });
const floats = (...values: number[]) => Tensor.from(Float32Array.of(...values), [values.length]);

/** y = x + x for vectors, where nothing else is asked for. */
const doubling = { inputs: [spec('x', ['n'])], outputs: [spec('y', ['n'])] };

function create(model: Partial<OnnxModel> = {}, options: ProgramOptions = {}, signature?: ProgramSignature): Program {
  const nodes = [{ op: 'Add', inputs: ['x', 'x'], outputs: ['y'] }];
  const whole = { ...doubling, nodes, initializers: [], opset: 20, ...model };
  return Program.create(encodeModel(whole), signature ?? whole, { threads: 1, ...options });
}

describe('running', () => {
  it('computes with whatever sizes come', () => {
    const program = create();
    expect(program.runSync({ x: floats(1, 2) }).y!.data).toEqual(Float32Array.of(2, 4));
    expect(program.runSync({ x: floats(3) }).y!.data).toEqual(Float32Array.of(6));
    expect(program.runSync({ x: floats() }).y!.shape).toEqual([0]);
  });

  it('carries every element type', () => {
    const program = create({
      nodes: [
        { op: 'Not', inputs: ['bool'], outputs: ['not'] },
        { op: 'Cast', inputs: ['float32'], outputs: ['toInt64'], attributes: { to: { int: 7 } } },
        { op: 'Add', inputs: ['int32', 'int32'], outputs: ['sum'] },
        { op: 'Identity', inputs: ['uint8'], outputs: ['same'] },
      ],
      inputs: [
        spec('bool', [2], 'bool'),
        spec('float32', [2]),
        spec('int32', [2], 'int32'),
        spec('uint8', [2], 'uint8'),
      ],
      outputs: [
        spec('not', [2], 'bool'),
        spec('toInt64', [2], 'int64'),
        spec('sum', [2], 'int32'),
        spec('same', [2], 'uint8'),
      ],
    });
    const results = program.runSync({
      bool: Tensor.from(Uint8Array.of(0, 1), [2], 'bool'),
      float32: floats(-3.7, 2 ** 40),
      int32: Tensor.from(Int32Array.of(-1, 5), [2]),
      uint8: Tensor.from(Uint8Array.of(0, 255), [2]),
    });
    expect(results.not!.data).toEqual(Uint8Array.of(1, 0));
    expect(results.toInt64!.data).toEqual(BigInt64Array.of(-3n, 2n ** 40n));
    expect(results.sum!.data).toEqual(Int32Array.of(-2, 10));
    expect(results.same!.data).toEqual(Uint8Array.of(0, 255));
  });

  it('reads and writes in place, parts of buffers too', () => {
    const program = create();
    const memory = Float32Array.of(1, 2, 3, 4, 5);
    const x = Tensor.from(memory.subarray(1, 3), [2]);
    const y = Tensor.from(memory.subarray(3, 5), [2]);
    expect(program.runSync({ x }, { y }).y).toBe(y);
    expect(memory).toEqual(Float32Array.of(1, 2, 3, 4, 6));
    memory[1] = 10;
    program.runSync({ x }, { y });
    expect(memory).toEqual(Float32Array.of(1, 10, 3, 20, 6));
  });

  it('writes an output over its input', () => {
    const x = floats(1, 2, 3);
    const program = create();
    for (let i = 0; i < 3; i++) program.runSync({ x }, { y: x });
    expect(x.data).toEqual(Float32Array.of(8, 16, 24));
  });

  it.each([
    ['a SharedArrayBuffer', () => new SharedArrayBuffer(8)],
    ['shared WebAssembly memory', () => new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true }).buffer],
    ['WebAssembly memory', () => new WebAssembly.Memory({ initial: 1 }).buffer],
  ])('works on %s', (_, allocate) => {
    const x = new Float32Array(allocate(), 0, 2);
    const y = new Float32Array(allocate(), 0, 2);
    x.set([1, 2]);
    create().runSync({ x: Tensor.from(x, [2]) }, { y: Tensor.from(y, [2]) });
    expect(y).toEqual(Float32Array.of(2, 4));
  });
});

/** Takes some milliseconds. */
function slowProgram(threads = 1): { program: Program; expected: (x: number) => number; size: number } {
  const size = 256;
  const x = input('x', 'float32', ['n', 'n']);
  let y = x;
  for (let i = 0; i < 8; i++) y = tanh(matmul(y, x));
  const program = compile({ y }, { threads });
  const expected = (value: number) => {
    let result = value;
    for (let i = 0; i < 8; i++) result = Math.tanh(result * value * size);
    return result;
  };
  return { program, expected, size };
}

const filled = (value: number, size: number) => Tensor.from(new Float32Array(size * size).fill(value), [size, size]);

describe('running asynchronously', () => {
  it('leaves the main thread free', async () => {
    const { program, size } = slowProgram();
    let ended = false;
    const run = program.run({ x: filled(0.01, size) }).then(() => {
      ended = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toBe(false);
    await run;
  });

  it('lets runs of one program and of several overlap', async () => {
    const programs = [slowProgram(), slowProgram(2)];
    const runs = programs.flatMap(({ program, expected, size }) =>
      [0.002, 0.003, 0.004].map(async (value) => {
        const { y } = await program.run({ x: filled(value, size) });
        expect(y!.data[0]).toBeCloseTo(expected(value), 4);
        expect(y!.data.at(-1)).toBe(y!.data[0]);
      }),
    );
    await Promise.all(runs);
  });

  it('mixes with synchronous runs', async () => {
    const { program, expected, size } = slowProgram();
    const run = program.run({ x: filled(0.003, size) });
    expect(program.runSync({ x: filled(0.002, size) }).y!.data[0]).toBeCloseTo(expected(0.002), 4);
    expect((await run).y!.data[0]).toBeCloseTo(expected(0.003), 4);
  });

  it('rejects where runSync throws', async () => {
    await expect(create().run({})).rejects.toThrow('input "x" was not given');
    const program = create({ nodes: [{ op: 'Reshape', inputs: ['x', 'shape'], outputs: ['y'] }], ...reshaping });
    await expect(program.run({ x: floats(1, 2, 3), shape: shapeOf(2n) })).rejects.toThrow(
      'engine: ONNX Runtime could not run a program',
    );
  });

  it('refuses more runs at once than can wait', async () => {
    const program = create({}, { name: 'doubling' });
    const outcomes = await Promise.allSettled(Array.from({ length: 300 }, () => program.run({ x: floats(1) })));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) expect(String(reason)).toContain('engine: program "doubling" could not start');
    expect((await program.run({ x: floats(1) })).y!.data[0]).toBe(2);
  });
});

const reshaping = { inputs: [spec('x', ['n']), spec('shape', [1], 'int64')], outputs: [spec('y', ['n'])] };
const shapeOf = (size: bigint) => Tensor.from(BigInt64Array.of(size), [1]);

describe('mistakes of a caller', () => {
  it('come back as errors from a run, and the program stays usable', () => {
    const program = create({ nodes: [{ op: 'Reshape', inputs: ['x', 'shape'], outputs: ['y'] }], ...reshaping });
    expect(() => program.runSync({ x: floats(1, 2), shape: shapeOf(5n) })).toThrow(
      'engine: ONNX Runtime could not run',
    );
    expect(program.runSync({ x: floats(1, 2), shape: shapeOf(2n) }).y!.data).toEqual(Float32Array.of(1, 2));
  });

  it('never write past an output whose signature is wrong about its size', () => {
    const lying = create({ inputs: [spec('x', ['n']), spec('z', ['m'])], outputs: [spec('y', ['m'])] });
    const run = (n: number, m: number) => () =>
      lying.runSync({ x: Tensor.zeros('float32', [n]), z: Tensor.zeros('float32', [m]) });
    expect(run(100_000, 3)).toThrow('could not run a program');
    expect(run(3, 100_000)).toThrow('could not run a program');
  });

  it('include a tensor and a program that were disposed of', () => {
    const program = create({}, { name: 'doubling' });
    const x = floats(1);
    x.dispose();
    expect(() => program.runSync({ x })).toThrow('engine: program "doubling": input "x", float32 [1], was disposed.');
    program.dispose();
    program.dispose();
    expect(() => program.runSync({ x: floats(1) })).toThrow('engine: program "doubling" was disposed.');
  });

  it.each([
    ['of no length', new Uint8Array()],
    ['of noise', new Uint8Array(1000).fill(7)],
    ['cut off', encodeModel({ ...doubling, nodes: [], initializers: [], opset: 20 }).subarray(0, 30)],
    ['of no bytes at all', undefined],
    ['of text', 'model.onnx'],
  ])('include a model %s', (_, model) => {
    expect(() => Program.create(model as Uint8Array, doubling)).toThrow(/^engine: /);
  });

  it('include an operation that does not exist', () => {
    expect(() => create({ nodes: [{ op: 'Ad', inputs: ['x', 'x'], outputs: ['y'] }] })).toThrow(
      'No Op registered for Ad',
    );
  });

  it.each<[string, ProgramSignature, string]>([
    [
      'a type',
      { ...doubling, outputs: [spec('y', ['n'], 'int64')] },
      'output "y" is int64 [n] in the signature, but float32 [-1] in the model',
    ],
    ['a rank', { ...doubling, inputs: [spec('x', ['n', 1])] }, 'input "x" is float32 [n, 1] in the signature'],
    [
      'a missing input',
      { ...doubling, inputs: [spec('n', ['n'])] },
      'input "n" is in the signature, but not in the model',
    ],
    ['an output too few', { ...doubling, outputs: [] }, 'output "y" is in the model, but not in the signature'],
  ])('include a signature that differs from the model in %s', (_, signature, message) => {
    expect(() => create({}, {}, signature)).toThrow(message);
  });

  it('cannot be made by changing the signature afterwards', () => {
    const outputs = [spec('y', ['n'])];
    const program = create({}, {}, { ...doubling, outputs });
    outputs.push(spec('z', ['n']));
    expect(program.runSync({ x: floats(1) }).y!.data[0]).toBe(2);
  });

  it.each<[ProgramOptions, string]>([
    [{ threads: Number.NaN }, 'threads is NaN'],
    [{ threads: 0 }, 'threads is 0'],
    [{ threads: 1.5 }, 'threads is 1.5'],
    [{ threads: 1e9 }, 'threads is 1000000000'],
    [{ threads: '2' as never }, 'threads is 2'],
    [{ optimization: 'extendet' as never }, 'no optimization "extendet". Give "extended"'],
    [{ optimization: 'toString' as never }, 'no optimization "toString"'],
    [{ sessionConfig: { key: 1 as never } }, 'sessionConfig "key" must be a string'],
    [{ sessionConfig: { '': '1' } }, 'Config key is empty'],
    [{ profile: '/no/such/directory/trace' }, 'there is no such directory'],
    [{ profile: 5 as never }, 'profile must be the start of a file path'],
  ])('include the options %j', (options, message) => {
    expect(() => create({}, options)).toThrow(message);
  });
});

describe('options', () => {
  it.each<ProgramOptions>([
    { optimization: 'disabled' },
    { optimization: 'basic' },
    { optimization: 'extended', threads: 2 },
    { memoryPattern: false, arena: false },
    { sessionConfig: { 'session.intra_op.allow_spinning': '0', 'session.force_spinning_stop': '1' } },
  ])('%j change no result', (options) => {
    expect(create({}, options).runSync({ x: floats(1, 2) }).y!.data).toEqual(Float32Array.of(2, 4));
  });

  it('write a profile once the program is disposed of', () => {
    const directory = mkdtempSync(join(tmpdir(), 'profile-größe-'));
    try {
      const program = create({}, { profile: join(directory, 'trace') });
      program.runSync({ x: floats(1) });
      program.dispose();
      expect(readdirSync(directory)).toEqual([expect.stringMatching(/^trace_.*\.json$/)]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
