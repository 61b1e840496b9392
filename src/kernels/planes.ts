import { fail } from '../errors.js';
import { type KernelPool, SharedMemory } from './pool.js';

/** A named array to be kept. */
export interface ArraySpec {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Where one array lies: in which slab and at which byte of each of its planes. */
interface Place {
  readonly slab: Slab;
  readonly offset: number;
  readonly length: number;
}

interface Slab {
  readonly memory: SharedMemory;
  /** Bytes of one plane. */
  readonly size: number;
  /** Where the next piece of workspace begins. */
  end: number;
}

const ALIGNMENT = 64;
/** Address space behind the planes of a memory, for what optimizers keep that has no array's size. */
const WORKSPACE = 2 ** 28;
const align = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/**
 * Float32 arrays with a fixed set of names in several planes: the values of a model's weights, and when it is trained, their
 * gradients and the optimizer's moments. An array has the same place in every plane, and all planes of an array lie in one
 * shared memory, so that one kernel call can update values, gradient and moments together. A shared memory holds 4 GiB;
 * larger models take several.
 */
export class Planes {
  readonly #places = new Map<string, Place>();
  readonly #slabs: Slab[] = [];
  readonly #arrays: Map<string, Float32Array>[] = [];
  readonly #maxPlanes: number;

  constructor(arrays: Iterable<ArraySpec>, maxPlanes: number) {
    this.#maxPlanes = maxPlanes;
    const capacity = Math.floor((2 ** 32 - WORKSPACE) / maxPlanes / ALIGNMENT) * ALIGNMENT;
    const groups: { specs: { name: string; offset: number; length: number }[]; size: number }[] = [];
    for (const { name, shape } of arrays) {
      const length = shape.reduce((a, b) => a * b, 1);
      const size = align(4 * length);
      if (size > capacity) fail('memory', `${name} has ${length} numbers; one array can have ${capacity / 4}.`);
      let group = groups.find((candidate) => candidate.size + size <= capacity);
      if (!group) {
        group = { specs: [], size: 0 };
        groups.push(group);
      }
      group.specs.push({ name, offset: group.size, length });
      group.size += size;
    }
    for (const { specs, size } of groups) {
      const slab = { memory: new SharedMemory(size, size * maxPlanes + WORKSPACE), size, end: size * maxPlanes };
      this.#slabs.push(slab);
      for (const { name, offset, length } of specs) this.#places.set(name, { slab, offset, length });
    }
    this.addPlane();
  }

  get names(): Iterable<string> {
    return this.#places.keys();
  }

  get planeCount(): number {
    return this.#arrays.length;
  }

  /** Adds a plane of zeros and returns its number. */
  addPlane(): number {
    const plane = this.#arrays.length;
    if (plane >= this.#maxPlanes) fail('memory', `all ${this.#maxPlanes} planes are taken.`);
    for (const { memory, size } of this.#slabs) memory.reserve(size * (plane + 1));
    const arrays = new Map<string, Float32Array>();
    for (const [name, { slab, offset, length }] of this.#places) {
      arrays.set(name, new Float32Array(slab.memory.memory.buffer, plane * slab.size + offset, length));
    }
    this.#arrays.push(arrays);
    return plane;
  }

  has(name: string): boolean {
    return this.#places.has(name);
  }

  array(name: string, plane = 0): Float32Array {
    return this.#arrays[plane]?.get(name) ?? fail('memory', `there is no array "${name}" in plane ${plane}.`);
  }

  /** The address of an array for kernels. */
  locate(name: string, plane = 0): { memory: SharedMemory; pointer: number; length: number } {
    const { slab, offset, length } = this.#places.get(name) ?? fail('memory', `there is no array "${name}".`);
    return { memory: slab.memory, pointer: plane * slab.size + offset, length };
  }

  /** Zeros in the memory that holds an array, so that one kernel call sees both. */
  workspace(name: string, length: number): { pointer: number; array: Float32Array } {
    const { slab } = this.#places.get(name) ?? fail('memory', `there is no array "${name}".`);
    const pointer = slab.end;
    slab.end = pointer + align(4 * length);
    slab.memory.reserve(slab.end);
    const array = new Float32Array(slab.memory.memory.buffer, pointer, length);
    return { pointer, array: array.fill(0) };
  }

  /** Gives all workspace back; arrays in it must not be used any more. */
  clearWorkspace(): void {
    for (const slab of this.#slabs) slab.end = slab.size * this.#maxPlanes;
  }

  forgetIn(pool: KernelPool): void {
    for (const { memory } of this.#slabs) pool.forget(memory);
  }
}
