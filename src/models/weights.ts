import { Random } from '../data/index.js';
import { type KernelPool, Planes } from '../kernels/index.js';
import type { ParameterSpec } from './builder.js';

/** Which copy of a model's arrays a plane holds. Training adds the last three. */
export const PLANES = { values: 0, gradients: 1, firstMoment: 2, secondMoment: 3 } as const;

/** The arrays of a model in memory that the engine, kernels and typed arrays share. */
export class ModelWeights {
  readonly specs: ReadonlyMap<string, ParameterSpec>;
  readonly planes: Planes;

  constructor(specs: Iterable<ParameterSpec>) {
    this.specs = new Map([...specs].map((spec) => [spec.name, spec]));
    this.planes = new Planes(this.specs.values(), Object.keys(PLANES).length);
  }

  array(name: string): Float32Array {
    return this.planes.array(name, PLANES.values);
  }

  isZero(name: string): boolean {
    return this.array(name).every((value) => value === 0);
  }

  /** The number of trained values. */
  get parameterCount(): number {
    let count = 0;
    for (const spec of this.specs.values()) if (!spec.buffer) count += this.array(spec.name).length;
    return count;
  }

  /** Makes room for gradients and the optimizer's moments; no effect the second time. */
  prepareTraining(): void {
    while (this.planes.planeCount < Object.keys(PLANES).length) this.planes.addPlane();
  }

  /** Draws arrays afresh, as the architecture initialises them; all, or those chosen. The same seed gives the same weights. */
  initialize(seed: number, chosen: (name: string) => boolean = () => true): void {
    for (const [index, spec] of [...this.specs.values()].entries()) {
      if (chosen(spec.name)) initializeArray(this.array(spec.name), spec, seed, index);
    }
  }

  forgetIn(pool: KernelPool): void {
    this.planes.forgetIn(pool);
  }
}

function initializeArray(
  array: Float32Array,
  { initialization, shape }: ParameterSpec,
  seed: number,
  stream: number,
): void {
  if (initialization.kind !== 'normal') {
    array.fill(initialization.kind === 'ones' ? 1 : 0);
    return;
  }
  // Box–Muller: two normal numbers from two uniform ones.
  const random = new Random(seed, stream);
  for (let i = 0; i < array.length; i += 2) {
    const radius = initialization.std * Math.sqrt(-2 * Math.log(1 - random.next()));
    const angle = 2 * Math.PI * random.next();
    array[i] = radius * Math.cos(angle);
    if (i + 1 < array.length) array[i + 1] = radius * Math.sin(angle);
  }
  const { zeroRow } = initialization;
  const width = shape[1] ?? 1;
  if (zeroRow !== undefined) array.fill(0, zeroRow * width, (zeroRow + 1) * width);
}
