import { type KernelPool, type KernelTask, task } from '../kernels/index.js';
import { type ModelWeights, PLANES } from '../models/index.js';

export interface AdamWOptions {
  betas: readonly [number, number];
  epsilon: number;
  /** Decoupled decay of matrices; biases and layer norms have none. */
  weightDecay: number;
}

/** Work is cut into pieces of this many numbers, so that threads share it evenly. The cut does not change any result. */
const PIECE = 1 << 18;

/** Biases and layer norms keep their size: decay would pull them to zero without making the model simpler. */
export function decays(name: string): boolean {
  return !name.endsWith('.bias') && !/layer_?norm/i.test(name);
}

function* piecesOf(length: number): Generator<{ start: number; count: number }> {
  for (let start = 0; start < length; start += PIECE) yield { start, count: Math.min(PIECE, length - start) };
}

/** The Euclidean norm of all gradients together. */
export async function gradientNorm(weights: ModelWeights, names: readonly string[], pool: KernelPool): Promise<number> {
  const tasks: KernelTask[] = [];
  for (const name of names) {
    const { memory, pointer, length } = weights.planes.locate(name, PLANES.gradients);
    for (const { start, count } of piecesOf(length)) {
      tasks.push(task(memory, 'sumOfSquares', count, [pointer + 4 * start, count]));
    }
  }
  return Math.sqrt((await pool.run(tasks)).reduce((total, square) => total + square, 0));
}

/** AdamW (Loshchilov & Hutter 2019) as `torch.optim.AdamW` computes it, over the gradient and moment planes. */
export class AdamW {
  readonly #weights: ModelWeights;
  readonly #names: readonly string[];
  readonly #options: AdamWOptions;
  readonly #pool: KernelPool;
  #steps = 0;

  constructor(weights: ModelWeights, names: readonly string[], options: AdamWOptions, pool: KernelPool) {
    this.#weights = weights;
    this.#names = names;
    this.#options = options;
    this.#pool = pool;
    weights.prepareTraining();
    for (const name of names) {
      weights.planes.array(name, PLANES.firstMoment).fill(0);
      weights.planes.array(name, PLANES.secondMoment).fill(0);
    }
  }

  /** Updates every weight by its gradient times `gradientScale`. */
  async step(learningRate: number, gradientScale: number): Promise<void> {
    const { betas, epsilon, weightDecay } = this.#options;
    const [beta1, beta2] = betas;
    this.#steps++;
    const stepSize = learningRate / (1 - beta1 ** this.#steps);
    const inverseBias = 1 / Math.sqrt(1 - beta2 ** this.#steps);
    const tasks: KernelTask[] = [];
    for (const name of this.#names) {
      const decay = 1 - learningRate * (decays(name) ? weightDecay : 0);
      const places = Object.values(PLANES).map((plane) => this.#weights.planes.locate(name, plane));
      const { memory, length } = places[0]!;
      for (const { start, count } of piecesOf(length)) {
        const [p, g, m, v] = places.map(({ pointer }) => pointer + 4 * start) as [number, number, number, number];
        const constants = [gradientScale, beta1, beta2, decay, stepSize, inverseBias, epsilon] as const;
        tasks.push(task(memory, 'adamw', count, [p, g, m, v, count, ...constants]));
      }
    }
    await this.#pool.run(tasks);
  }
}
