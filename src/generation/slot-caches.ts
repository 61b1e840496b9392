import { Tensor } from '../engine/index.js';
import { disposeAll } from '../models/index.js';
import type { CacheMemory } from './cache-memory.js';

interface Shape {
  readonly heads: number;
  /** Values that a head has at a place. */
  readonly width: number;
  /** As many slots as will ever be in use at once. */
  readonly mostSlots: number;
}

/**
 * Caches of one shape [slots, heads, places, width], one for each name, which grow and shrink together: an item's keys and
 * values lie in its slot. Slots in use are the beginning of each array, so that their number can change without a copy.
 */
export class SlotCaches {
  readonly #names: readonly string[];
  readonly #memory: CacheMemory;
  readonly #shape: Shape;
  #arrays: Float32Array[] = [];
  #tensors: Record<string, Tensor> | undefined;
  #slots = 0;
  #places = 0;

  constructor(names: readonly string[], memory: CacheMemory, shape: Shape) {
    this.#names = names;
    this.#memory = memory;
    this.#shape = shape;
  }

  /** Places of a slot. */
  get places(): number {
    return this.#places;
  }

  /** The caches of the slots in use. */
  get tensors(): Record<string, Tensor> {
    const { heads, width } = this.#shape;
    const shape = [this.#slots, heads, this.#places, width];
    this.#tensors ??= Object.fromEntries(
      this.#names.map((name, i) => [
        name,
        Tensor.from(this.#arrays[i]!.subarray(0, this.#slots * this.#slotSize), shape),
      ]),
    );
    return this.#tensors;
  }

  /** Sets the number of slots in use. */
  use(slots: number): void {
    if (slots === this.#slots) return;
    this.#forgetTensors();
    this.#slots = slots;
  }

  /** Gives every slot another number of places; what was written to those that remain is kept. */
  resize(places: number): void {
    if (places === this.#places) return;
    const { heads, width, mostSlots } = this.#shape;
    const kept = Math.min(places, this.#places) * width;
    const [from, to] = [this.#places * width, places * width];
    this.#forgetTensors();
    this.#arrays = this.#names.map((_, i) => {
      const array = this.#memory.take(mostSlots * heads * to);
      const old = this.#arrays[i];
      if (!old) return array;
      for (let head = 0; head < this.#slots * heads; head++) {
        array.set(old.subarray(head * from, head * from + kept), head * to);
      }
      this.#memory.giveBack(old);
      return array;
    });
    this.#places = places;
  }

  /** Writes a slot's places from 0 on: the `used` first of what `item` has in `sources[i]` [items, heads, length, width]. */
  write(
    slot: number,
    sources: readonly Float32Array[],
    item: number,
    { length, used }: { readonly length: number; readonly used: number },
  ): void {
    const { heads, width } = this.#shape;
    for (const [i, source] of sources.entries()) {
      for (let head = 0; head < heads; head++) {
        const from = (item * heads + head) * length * width;
        const to = (slot * heads + head) * this.#places * width;
        this.#arrays[i]!.set(source.subarray(from, from + used * width), to);
      }
    }
  }

  /** Copies what one slot holds into another. */
  move(from: number, to: number): void {
    const size = this.#slotSize;
    for (const array of this.#arrays) array.copyWithin(to * size, from * size, (from + 1) * size);
  }

  dispose(): void {
    this.#forgetTensors();
    for (const array of this.#arrays) this.#memory.giveBack(array);
    this.#arrays = [];
  }

  get #slotSize(): number {
    return this.#shape.heads * this.#places * this.#shape.width;
  }

  #forgetTensors(): void {
    if (this.#tensors) disposeAll(this.#tensors);
    this.#tensors = undefined;
  }
}
