import v8 from 'node:v8';
import vm from 'node:vm';
import { afterAll, describe, expect, it } from 'vitest';
import { add, input, matmul } from '../graph/index.js';
import { compile, Tensor } from './index.js';

v8.setFlagsFromString('--expose-gc');
const collect: (options?: { type: 'minor' | 'major' }) => void = vm.runInNewContext('gc');

/** Garbage that makes the collector move whatever survives. */
function churn(): void {
  for (let i = 0; i < 2000; i++) new Float32Array(3).fill(i);
  collect({ type: 'minor' });
  collect();
}

/** Finalizers run between turns of the event loop. */
const idle = () => new Promise((resolve) => setTimeout(resolve, 20));

const x = input('x', 'float32', ['n']);
const doubling = compile({ y: add(x, x) }, { threads: 1 });
const square = input('x', 'float32', ['n', 'n']);
const product = () => compile({ y: matmul(square, square) }, { threads: 2 });
/** The 16th power of a matrix: long enough to be caught under way, with intermediate values for the session to keep. */
const power = () => {
  let y = square;
  for (let i = 0; i < 15; i++) y = matmul(y, square);
  return compile({ y }, { threads: 2 });
};

afterAll(() => doubling.dispose());

describe('memory under the garbage collector', () => {
  it('of small arrays stays where the library knows it to be', () => {
    const tensors = Array.from({ length: 200 }, (_, i) => Tensor.from(Float32Array.of(i, i, i), [3]));
    for (let round = 0; round < 10; round++) {
      churn();
      for (const [i, tensor] of tensors.entries()) {
        tensor.data[1] = round;
        const { y } = doubling.runSync({ x: tensor });
        expect([...y!.data]).toEqual([2 * i, 2 * round, 2 * i]);
      }
    }
  });

  it('of an asynchronous run is kept, though nobody else holds it', async () => {
    const program = product();
    const size = 64;
    const runs = Array.from({ length: 40 }, async (_, i) => {
      const { y } = await program.run({ x: Tensor.from(new Float32Array(size * size).fill(i), [size, size]) });
      return y!.data[size];
    });
    churn();
    expect(await Promise.all(runs)).toEqual(Array.from({ length: 40 }, (_, i) => i * i * size));
  });

  it('of a disposed tensor is kept until the runs under way end', async () => {
    const program = product();
    const inputs = { x: Tensor.from(new Float32Array(300 * 300).fill(1), [300, 300]) };
    const run = program.run(inputs);
    inputs.x.dispose();
    churn();
    expect((await run).y!.data[7]).toBe(300);
    expect(() => program.runSync(inputs)).toThrow('was disposed');
  });

  it('of a program is kept until the runs under way end', async () => {
    let program: ReturnType<typeof power> | undefined = power();
    const ones = Tensor.from(new Float32Array(256 * 256).fill(1 / 256), [256, 256]);
    const runs = [program.run({ x: ones }), program.run({ x: ones })];
    program.dispose();
    expect(() => program?.runSync({ x: ones })).toThrow('was disposed');
    program = undefined;
    churn();
    for (const { y } of await Promise.all(runs)) expect(y!.data[7]).toBe(1 / 256);
  });
});

describe('memory over time', () => {
  const small = () => Tensor.zeros('float32', [32, 32]);
  const megabytes = () => {
    collect();
    return process.memoryUsage().rss / 2 ** 20;
  };

  /** Growth in the third and fourth round, when the allocators have what one round needs. */
  async function growth(round: () => void): Promise<number> {
    let before = 0;
    for (let i = 0; i < 4; i++) {
      if (i === 2) before = megabytes();
      round();
      collect();
      await idle();
    }
    return megabytes() - before;
  }

  it('does not grow with 50 programs made and disposed of', async () => {
    const grown = await growth(() => {
      for (let i = 0; i < 50; i++) {
        const program = product();
        program.runSync({ x: small() });
        program.dispose();
      }
    });
    expect(grown).toBeLessThan(8);
  });

  it('is given back for programs that were forgotten', async () => {
    const matrix = Tensor.zeros('float32', [256, 256]);
    const grown = await growth(() => {
      for (let i = 0; i < 10; i++) power().runSync({ x: matrix });
    });
    expect(grown).toBeLessThan(8);
  });

  it('is given back for tensors that were forgotten', async () => {
    const y = Tensor.zeros('float32', [1]);
    const grown = await growth(() => {
      for (let i = 0; i < 40_000; i++) doubling.runSync({ x: Tensor.zeros('float32', [1]) }, { y });
    });
    expect(grown).toBeLessThan(12);
  });
});
