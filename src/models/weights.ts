import { Random } from '../data/index.js';
import { type KernelPool, Planes } from '../kernels/index.js';
import type { StoredMatrix } from './blocks.js';
import type { ParameterSpec } from './builder.js';

/** Which copy of a model's arrays a plane holds. Training adds the last three. */
export const PLANES = { values: 0, gradients: 1, firstMoment: 2, secondMoment: 3 } as const;

/** The arrays of a model in memory that the engine, kernels and typed arrays share. */
export class ModelWeights {
  readonly specs: ReadonlyMap<string, ParameterSpec>;
  readonly planes: Planes;
  /** The matrices that are kept in few bits, of which there are no other arrays. */
  readonly quantized: ReadonlyMap<string, StoredMatrix>;

  constructor(specs: Iterable<ParameterSpec>, quantized: ReadonlyMap<string, StoredMatrix> = new Map()) {
    this.specs = new Map([...specs].map((spec) => [spec.name, spec]));
    this.quantized = quantized;
    const whole = [...this.specs.values()].filter(({ name }) => !quantized.has(name));
    this.planes = new Planes(whole, Object.keys(PLANES).length);
  }

  /** The bits that most of its numbers are kept in: 32, or 8 or 4 when it is quantized. */
  get bits(): 4 | 8 | 32 {
    const [first] = this.quantized.values();
    return first?.blocks.bits ?? 32;
  }

  array(name: string): Float32Array {
    return this.planes.array(name, PLANES.values);
  }

  /**
   * Whether all of an array is known to be finite, at the speed of memory; false as well for numbers beyond 10¹⁹, whose squares
   * overflow. NaN and infinity go on into a sum of squares, where nothing cancels them.
   */
  isFinite(name: string): boolean {
    const { memory, pointer, length } = this.planes.locate(name, PLANES.values);
    return Number.isFinite(memory.exports.sumOfSquares(pointer, length));
  }

  isZero(name: string): boolean {
    return !this.quantized.has(name) && this.array(name).every((value) => value === 0);
  }

  /** The number of trained values. */
  get parameterCount(): number {
    let count = 0;
    for (const spec of this.specs.values()) if (!spec.buffer) count += spec.shape.reduce((a, b) => a * b, 1);
    return count;
  }

  /** Makes room for gradients and the optimizer's moments; no effect the second time. */
  prepareTraining(): void {
    while (this.planes.planeCount < Object.keys(PLANES).length) this.planes.addPlane();
  }

  /** Draws arrays afresh, as the architecture initialises them; all, or those chosen. The same seed gives the same weights. */
  initialize(seed: number, chosen: (name: string) => boolean = () => true): void {
    for (const [index, spec] of [...this.specs.values()].entries()) {
      if (chosen(spec.name) && !this.quantized.has(spec.name))
        initializeArray(this.array(spec.name), spec, seed, index);
    }
  }

  forgetIn(pool: KernelPool): void {
    this.planes.forgetIn(pool);
  }
}

function initializeArray(array: Float32Array, spec: ParameterSpec, seed: number, stream: number): void {
  const { initialization } = spec;
  const width = spec.shape[1] ?? 1;
  switch (initialization.kind) {
    case 'zeros':
      array.fill(0);
      break;
    case 'ones':
      array.fill(1);
      break;
    case 'sinusoidal':
      fillSinusoidal(array, width);
      break;
    case 'normal': {
      fillNormal(array, new Random(seed, stream), initialization.std);
      const { zeroRow } = initialization;
      if (zeroRow !== undefined) array.fill(0, zeroRow * width, (zeroRow + 1) * width);
    }
  }
}

/** Normal numbers with mean 0. Box–Muller: two of them from two uniform ones. */
export function fillNormal(array: Float32Array | Float64Array, random: Random, std: number): void {
  for (let i = 0; i < array.length; i += 2) {
    const radius = std * Math.sqrt(-2 * Math.log(1 - random.next()));
    const angle = 2 * Math.PI * random.next();
    array[i] = radius * Math.cos(angle);
    if (i + 1 < array.length) array[i + 1] = radius * Math.sin(angle);
  }
}

/** The positions of Vaswani et al. 2017, sines and cosines apart as Marian has them; of an odd width, sines have one more. */
function fillSinusoidal(array: Float32Array, width: number): void {
  const half = Math.ceil(width / 2);
  const divisors = Float64Array.from({ length: half }, (_, k) => 10000 ** ((2 * k) / width));
  for (let i = 0; i < array.length; i++) {
    const column = i % width;
    const position = (i - column) / width;
    array[i] = column < half ? Math.sin(position / divisors[column]!) : Math.cos(position / divisors[column - half]!);
  }
}
