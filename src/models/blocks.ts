import type { Blocks } from '../graph/index.js';

/** What stands behind a matrix's name where it is kept in few bits: its values for products, for look-ups, and scales. */
export const QUANTIZED = { blocks: '.blocks', rows: '.rows', scales: '.scales' } as const;

/** A matrix in few bits, in memory. */
export interface StoredMatrix {
  readonly blocks: Blocks;
  readonly shape: readonly [rows: number, columns: number];
  readonly values: Uint8Array;
  readonly scales: Float32Array;
}

/** The shapes in which a matrix in few bits enters graphs. */
export function blockShapes(shape: readonly number[], { bits, size }: Blocks) {
  const [rows, columns] = shape as [number, number];
  const perRow = columns / size;
  return {
    blocks: [rows, perRow, (size * bits) / 8],
    rows: [rows, (columns * bits) / 8],
    scales: [rows, perRow],
  } as const;
}

/**
 * Sizes of blocks, best first. Of 8 bits a scale for 128 numbers is accurate enough and the fastest; of 4 bits accuracy needs
 * one for 32.
 */
const SIZES = { 8: [128, 64, 32, 16], 4: [32, 16] } as const;

/** How a matrix of so many columns is cut; undefined: it cannot be. */
export function blocksFor(columns: number, bits: Blocks['bits']): Blocks | undefined {
  const size = SIZES[bits].find((each) => columns % each === 0);
  return size === undefined ? undefined : { bits, size };
}

/**
 * Rounds a matrix. Of 8 bits a block's largest magnitude becomes ±127; of 4 bits the number of the largest magnitude becomes −8,
 * so that all 16 values are used.
 */
export function quantize(numbers: Float32Array, shape: readonly [number, number], blocks: Blocks): StoredMatrix {
  const { bits, size } = blocks;
  const zero = 2 ** (bits - 1);
  const values = new Uint8Array((numbers.length * bits) / 8);
  const scales = new Float32Array(numbers.length / size);
  for (let block = 0; block < scales.length; block++) {
    const start = block * size;
    let extreme = 0;
    for (let i = start; i < start + size; i++) if (Math.abs(numbers[i]!) > Math.abs(extreme)) extreme = numbers[i]!;
    const scale = Math.fround(bits === 8 ? Math.abs(extreme) / 127 : extreme / -8);
    scales[block] = scale;
    for (let i = start; i < start + size; i++) {
      const steps = scale === 0 ? 0 : Math.round(numbers[i]! / scale);
      const value = Math.max(-zero, Math.min(zero - 1, steps)) + zero;
      if (bits === 8) values[i] = value;
      else values[i >> 1]! |= value << (4 * (i & 1));
    }
  }
  return { blocks, shape, values, scales };
}

/** The numbers that a matrix stands for. */
export function dequantize({ blocks: { bits, size }, values, scales }: StoredMatrix, into: Float32Array): void {
  const zero = 2 ** (bits - 1);
  for (let i = 0; i < into.length; i++) {
    const value = bits === 8 ? values[i]! : (values[i >> 1]! >> (4 * (i & 1))) & 15;
    into[i] = (value - zero) * scales[Math.floor(i / size)]!;
  }
}
