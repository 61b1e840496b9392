import { type KernelPool, type KernelTask, task } from '../../kernels/index.js';
import { type ModelWeights, PLANES } from '../../models/index.js';

/**
 * Work is cut into pieces of this many numbers, so that threads share it evenly. How many threads there are changes no bit;
 * where the cuts are does, since sums are added piece by piece: another number here is another version of every run.
 */
export const PIECE = 1 << 20;

export function* piecesOf(length: number): Generator<{ start: number; count: number }> {
  for (let start = 0; start < length; start += PIECE) yield { start, count: Math.min(PIECE, length - start) };
}

/** Σ x² over an array of each of these weights. */
export async function sumsOfSquares(
  weights: ModelWeights,
  names: readonly string[],
  plane: number,
  pool: KernelPool,
): Promise<number[]> {
  const tasks: KernelTask[] = [];
  const owners: number[] = [];
  for (const [owner, name] of names.entries()) {
    const { memory, pointer, length } = weights.planes.locate(name, plane);
    for (const { start, count } of piecesOf(length)) {
      tasks.push(task(memory, 'sumOfSquares', count, [pointer + 4 * start, count]));
      owners.push(owner);
    }
  }
  const sums = names.map(() => 0);
  for (const [i, square] of (await pool.run(tasks)).entries()) sums[owners[i]!]! += square;
  return sums;
}

/** The Euclidean norm of all gradients together. */
export async function gradientNorm(weights: ModelWeights, names: readonly string[], pool: KernelPool): Promise<number> {
  const sums = await sumsOfSquares(weights, names, PLANES.gradients, pool);
  return Math.sqrt(sums.reduce((total, square) => total + square, 0));
}
