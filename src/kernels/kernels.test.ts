import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { KernelPool, Planes, SharedMemory, task } from './index.js';

const pool = new KernelPool(2);
afterAll(() => pool.dispose());

describe('Planes', () => {
  it('keeps every array apart from its neighbours, in each plane', () => {
    const specs = [1, 3, 16, 17, 1000].map((length, i) => ({ name: `w${i}`, shape: [length] }));
    const planes = new Planes(specs, 3);
    planes.addPlane();
    planes.addPlane();
    for (let plane = 0; plane < 3; plane++) {
      for (const [i, { name }] of specs.entries()) planes.array(name, plane).fill(10 * plane + i);
    }
    for (let plane = 0; plane < 3; plane++) {
      for (const [i, { name }] of specs.entries()) {
        expect(new Set(planes.array(name, plane))).toEqual(new Set([10 * plane + i]));
      }
    }
    expect(() => planes.addPlane()).toThrow('memory: all 3 planes are taken.');
  });

  it('spreads what 4 GiB cannot hold over several memories', () => {
    const planes = new Planes(
      [0, 1, 2].map((i) => ({ name: `w${i}`, shape: [200, 1 << 20] })),
      4,
    );
    expect(new Set([...planes.names].map((name) => planes.locate(name).memory.id)).size).toBe(3);
    planes.array('w2')[200 * (1 << 20) - 1] = 7;
    expect(planes.array('w1')[0]).toBe(0);
  });

  it('refuses an array larger than a memory', () => {
    expect(() => new Planes([{ name: 'huge', shape: [1 << 15, 1 << 15] }], 4)).toThrow(/huge has 1073741824 numbers/);
  });
});

describe('adamw', () => {
  it('equals the formula, inline and on threads', async () => {
    const length = 1_200_001;
    const planes = new Planes([{ name: 'w', shape: [length] }], 4);
    for (let plane = 1; plane < 4; plane++) planes.addPlane();
    const [p, g, m, v] = [0, 1, 2, 3].map((plane) => planes.array('w', plane)) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    for (let i = 0; i < length; i++) {
      p[i] = Math.sin(i);
      g[i] = Math.cos(3 * i);
      m[i] = Math.sin(5 * i) / 10;
      v[i] = Math.abs(Math.sin(7 * i)) / 10;
    }
    const before = [p, g, m, v].map((array) => array.slice()) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const [scale, b1, b2, decay, step, bias, epsilon] = [0.5, 0.9, 0.999, 0.9999, 0.01, 1.5, 1e-8];
    const pointers = [0, 1, 2, 3].map((plane) => planes.locate('w', plane).pointer) as [number, number, number, number];
    const { memory } = planes.locate('w');
    await pool.run([task(memory, 'adamw', length, [...pointers, length, scale, b1, b2, decay, step, bias, epsilon])]);
    for (let i = 0; i < length; i += 997) {
      const gi = before[1][i]! * scale;
      const mi = b1 * before[2][i]! + (1 - b1) * gi;
      const vi = b2 * before[3][i]! + (1 - b2) * gi * gi;
      expect(p[i]).toBeCloseTo(before[0][i]! * decay - (step * mi) / (Math.sqrt(vi) * bias + epsilon), 5);
      expect(m[i]).toBeCloseTo(mi, 6);
      expect(v[i]).toBeCloseTo(vi, 6);
    }
  });
});

describe('sumOfSquares', () => {
  it('is exact to a few units of single precision for any length', async () => {
    const memory = new SharedMemory(1 << 16, 1 << 16);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.float({ noNaN: true, min: -1e3, max: 1e3 }), { maxLength: 2000 }),
        async (numbers) => {
          new Float32Array(memory.memory.buffer).set(numbers);
          const [sum] = await pool.run([task(memory, 'sumOfSquares', numbers.length, [0, numbers.length])]);
          const expected = numbers.reduce((total, x) => total + x * x, 0);
          expect(Math.abs(sum! - expected)).toBeLessThanOrEqual(5e-7 * Math.max(1e-6, expected));
        },
      ),
    );
  });
});

describe('dropoutMask', () => {
  const length = 1 << 20;
  const memory = new SharedMemory(2 * length, 2 * length);
  const bytes = new Uint8Array(memory.memory.buffer);
  const draw = async (offset: number, key1: number, key2: number, rate: number, counter = 0) => {
    const threshold = Math.round(rate * 65536);
    await pool.run([task(memory, 'dropoutMask', length, [offset, length, key1, key2, counter, threshold])]);
    return bytes.subarray(offset, offset + length);
  };
  const count = (mask: Uint8Array) => mask.reduce((total, bit) => total + bit, 0);

  it('keeps the share asked for', async () => {
    for (const rate of [0, 0.1, 0.5, 0.9]) {
      const expected = length * (1 - rate);
      const sigma = Math.sqrt(length * rate * (1 - rate));
      expect(Math.abs(count(await draw(0, 123, 456, rate)) - expected)).toBeLessThanOrEqual(5 * sigma);
    }
  });

  it('is the same for the same key and counter, and unrelated for others', async () => {
    const first = (await draw(0, 1, 2, 0.5)).slice();
    expect(await draw(length, 1, 2, 0.5)).toEqual(first);
    for (const [key1, key2, counter] of [
      [2, 2, 0],
      [1, 3, 0],
      [1, 2, 1 << 20],
    ] as const) {
      const other = await draw(length, key1, key2, 0.5, counter);
      const agree = first.reduce((total, bit, i) => total + Number(bit === other[i]), 0);
      expect(Math.abs(agree - length / 2)).toBeLessThan(5 * Math.sqrt(length / 4));
    }
  });

  it('has no correlation between neighbours', async () => {
    const mask = await draw(0, 9, 9, 0.5);
    for (const distance of [1, 2, 4, 8, 16, 64, 1024]) {
      let agree = 0;
      for (let i = distance; i < length; i++) agree += Number(mask[i] === mask[i - distance]);
      expect(Math.abs(agree - length / 2)).toBeLessThan(5 * Math.sqrt(length / 4));
    }
  });
});
