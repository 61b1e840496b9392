import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blocksFor, dequantize, quantize } from './blocks.js';

const finite = fc.float({ noNaN: true, min: -1000, max: 1000 });

describe.each([8, 4] as const)('a matrix in %i bits', (bits) => {
  it('is nowhere farther from its numbers than half a step of its block, but for the end that has no step', () => {
    const matrix = fc
      .tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom(16, 32, 48, 96, 128, 256))
      .chain(([rows, columns]) =>
        fc.tuple(
          fc.constant([rows, columns] as const),
          fc.array(finite, { minLength: rows * columns, maxLength: rows * columns }),
        ),
      );
    fc.assert(
      fc.property(matrix, ([shape, list]) => {
        const numbers = Float32Array.from(list);
        const blocks = blocksFor(shape[1], bits)!;
        const stored = quantize(numbers, shape, blocks);
        expect(stored.values.length).toBe((numbers.length * bits) / 8);
        const back = new Float32Array(numbers.length);
        dequantize(stored, back);
        for (const [i, number] of numbers.entries()) {
          const step = Math.abs(stored.scales[Math.floor(i / blocks.size)]!);
          // Of 4 bits the side opposite the largest number ends one step early.
          const reach = bits === 8 ? 0.5 : 1;
          expect(Math.abs(back[i]! - number)).toBeLessThanOrEqual(step * reach * (1 + 1e-4) + 1e-30);
        }
      }),
      { numRuns: 60, seed: 5 },
    );
  });

  it('keeps zeros, and the number of the largest magnitude of each block', () => {
    const numbers = new Float32Array(64);
    const blocks = blocksFor(32, bits)!;
    numbers[3] = -0.7;
    numbers[40] = 12.5;
    const back = new Float32Array(64);
    dequantize(quantize(numbers, [2, 32], blocks), back);
    expect([...back]).toEqual([...numbers].map((number) => expect.closeTo(number, 5)));
  });
});

it('is cut into the largest blocks that fit, or not at all', () => {
  expect([512, 96, 48, 24, 17].map((columns) => blocksFor(columns, 8)?.size)).toEqual([
    128,
    32,
    16,
    undefined,
    undefined,
  ]);
  expect([512, 48, 24].map((columns) => blocksFor(columns, 4)?.size)).toEqual([32, 16, undefined]);
});
