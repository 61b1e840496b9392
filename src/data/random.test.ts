import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random, shuffledIndices } from './index.js';

describe('Random', () => {
  test('gives these numbers on every machine', () => {
    const random = new Random(42);
    expect([random.uint32(), random.uint32(), random.uint32()]).toMatchInlineSnapshot(`
      [
        3781949244,
        12358975,
        2765033950,
      ]
    `);
    expect([new Random(42, 1, 2).next(), new Random(-1.5).next()]).toMatchInlineSnapshot(`
      [
        0.6969280581343665,
        0.7681854244418428,
      ]
    `);
  });

  test('another seed or path is another stream; the same one is the same', () => {
    const paths = [[0], [1], [-1], [0.5], [2 ** 32], [0, 0], [0, 1], [1, 0], [0, 0, 0], [2 ** 53 - 1]] as [
      number,
      ...number[],
    ][];
    const firsts = paths.map((path) => new Random(...path).next());
    expect(new Set(firsts).size).toBe(paths.length);
    expect(paths.map((path) => new Random(...path).next())).toEqual(firsts);
    expect(new Random(-0).next()).toBe(new Random(0).next());
  });

  test('is uniform, also over the first numbers of neighbouring streams', () => {
    const count = 40_000;
    const one = new Random(7);
    for (const draw of [
      () => one.next(),
      (i: number) => new Random(7, i).next(),
      (i: number) => new Random(i).next(),
    ]) {
      const bins = new Array<number>(64).fill(0);
      for (let i = 0; i < count; i++) bins[Math.floor(draw(i) * bins.length)]!++;
      const expected = count / bins.length;
      const chiSquared = bins.reduce((sum, bin) => sum + (bin - expected) ** 2 / expected, 0);
      // 63 degrees of freedom: within these bounds with probability 0.9998.
      expect(chiSquared).toBeGreaterThan(27);
      expect(chiSquared).toBeLessThan(114);
    }
  });

  test('below', () => {
    const random = new Random(3);
    const counts = [0, 0, 0];
    for (let i = 0; i < 30_000; i++) counts[random.below(3)]!++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
    expect(random.below(1)).toBe(0);
    // A plain remainder would draw the lowest third twice as often, and the mean would be 0.42.
    let sum = 0;
    for (let i = 0; i < 10_000; i++) sum += random.below(3 * 2 ** 30) / (3 * 2 ** 30);
    expect(sum / 10_000).toBeCloseTo(0.5, 1.7);
  });
});

describe('shuffledIndices', () => {
  test('is a permutation, the same for the same seed and epoch', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.integer(), fc.nat(100), (count, seed, epoch) => {
        const order = shuffledIndices(count, seed, epoch);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
        expect(shuffledIndices(count, seed, epoch)).toEqual(order);
      }),
      { seed: 1 },
    );
  });

  test('fixed, and different between epochs', () => {
    expect(String(shuffledIndices(8, 1, 0))).toMatchInlineSnapshot(`"3,1,7,5,6,0,2,4"`);
    expect(shuffledIndices(100, 1, 0)).not.toEqual(shuffledIndices(100, 1, 1));
    expect(shuffledIndices(100, 1, 0)).not.toEqual(shuffledIndices(100, 2, 0));
  });

  test('every place is equally likely', () => {
    const seen = Array.from({ length: 4 }, () => [0, 0, 0, 0]);
    for (let epoch = 0; epoch < 4000; epoch++)
      for (const [place, index] of shuffledIndices(4, 9, epoch).entries()) seen[index]![place]!++;
    for (const count of seen.flat()) expect(Math.abs(count - 1000)).toBeLessThan(130);
  });
});
