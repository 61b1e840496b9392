/** In place of a node or a value that is not there. */
export const NONE = -1;
export const ROOT = 0;

/**
 * A trie over bytes in one array, in the units of Darts-clone, which the files hold too. A node is the index of its unit:
 *
 * - bits 0–7 its label, the byte that led here; bit 8: a key ends here;
 * - bits 10–30 its offset, 8 bits further left if bit 9 is set; its child by byte `b` is `node ^ offset ^ b`;
 * - the child by byte 0 of a node where a key ends is a leaf: bit 31 and the key's value.
 *
 * That a unit is the child asked for shows by its label alone, so no two nodes have the same `node ^ offset`. Byte 0
 * is in no key.
 */
export class DoubleArray {
  readonly #units: Int32Array;

  constructor(units: Int32Array) {
    this.#units = units;
  }

  /** The child of a node by a byte, or {@link NONE}. */
  step(node: number, byte: number): number {
    const next = node ^ offsetOf(this.#units[node]!) ^ byte;
    return byte !== 0 && (this.#units[next]! & LABEL) === byte ? next : NONE;
  }

  /** The value of the key that ends at a node, or {@link NONE}. */
  valueAt(node: number): number {
    const unit = this.#units[node]!;
    return (unit & HAS_LEAF) === 0 ? NONE : this.#units[node ^ offsetOf(unit)]! & VALUE;
  }
}

const HAS_LEAF = 1 << 8;
const WIDE = 1 << 9;
const LEAF = 1 << 31;
const LABEL = LEAF | 255;
const VALUE = ~LEAF;

function offsetOf(unit: number): number {
  return ((unit & VALUE) >>> 10) << ((unit & WIDE) >>> 6);
}

function unitOf(label: number, hasLeaf: boolean, offset: number): number {
  const placed = offset < 1 << 21 ? offset << 10 : ((offset >>> 8) << 10) | WIDE;
  return label | (hasLeaf ? HAS_LEAF : 0) | placed;
}

/** A double array of these keys, none of them empty or with a NUL, and their values below 2³¹. */
export function buildDoubleArray(values: ReadonlyMap<string, number>): DoubleArray {
  return new DoubleArray(doubleArrayUnits(values));
}

/** The units of {@link buildDoubleArray}. */
export function doubleArrayUnits(values: ReadonlyMap<string, number>): Int32Array {
  // Any order will do that keeps keys with a common beginning together, whether it is measured in UTF-16 or in UTF-8.
  const keys = [...values.keys()].sort();
  const { bytes, starts } = terminated(keys);
  const slots = new Slots();
  /** Nodes to be given children: unit, depth, and the range of keys that go through it. */
  const pending = keys.length > 0 ? [ROOT, 0, 0, keys.length] : [];
  slots.take(ROOT);
  while (pending.length > 0) {
    const [to, from, depth, node] = [pending.pop()!, pending.pop()!, pending.pop()!, pending.pop()!];
    const labels: number[] = [];
    const firsts: number[] = [];
    for (let i = from, last = NONE; i < to; i++) {
      const label = bytes[starts[i]! + depth]!;
      if (label === last) continue;
      labels.push(label);
      firsts.push(i);
      last = label;
    }
    firsts.push(to);
    const base = slots.baseFor(node, labels);
    slots.units[node] = unitOf(slots.units[node]! & 255, labels[0] === 0, node ^ base);
    for (let i = 0; i < labels.length; i++) {
      const label = labels[i]!;
      const child = base ^ label;
      slots.take(child);
      slots.units[child] = label === 0 ? LEAF | values.get(keys[firsts[i]!]!)! : label;
      if (label !== 0) pending.push(child, depth + 1, firsts[i]!, firsts[i + 1]!);
    }
  }
  return slots.units.slice(0, slots.size);
}

const encoder = new TextEncoder();

/** All keys in UTF-8, each ended by a NUL, and where each begins. */
function terminated(keys: readonly string[]): { readonly bytes: Uint8Array; readonly starts: Int32Array } {
  const bytes = new Uint8Array(keys.reduce((length, key) => length + 3 * key.length + 1, 0));
  const starts = new Int32Array(keys.length);
  let length = 0;
  for (let i = 0; i < keys.length; i++) {
    starts[i] = length;
    length += encoder.encodeInto(keys[i]!, bytes.subarray(length)).written + 1;
  }
  return { bytes, starts };
}

const BLOCK = 256;
/** Gaps further back than this many blocks are left: searching them takes longer than they are worth. */
const OPEN_BLOCKS = 16;

/** Units and which of them are free, as a ring through the free units of the last blocks. */
class Slots {
  /** Free ones have bit 31 and so are the child of nothing. */
  units = new Int32Array(0);
  size = 0;
  #next = new Int32Array(0);
  #previous = new Int32Array(0);
  #usedBases = new Uint8Array(0);
  /** Any free unit, or NONE. */
  #first = NONE;

  /** A base, different from all others, whose units for these labels are free and within reach of the node's offset. */
  baseFor(node: number, labels: readonly number[]): number {
    const first = labels[0]!;
    let slot = this.#first;
    if (slot !== NONE) {
      do {
        const base = slot ^ first;
        if (
          this.#usedBases[base] === 0 &&
          inReach(node ^ base) &&
          labels.every((label) => this.#isFree(base ^ label))
        ) {
          this.#usedBases[base] = 1;
          return base;
        }
        slot = this.#next[slot]!;
      } while (slot !== this.#first);
    }
    const base = this.size | (node & (BLOCK - 1));
    this.#addBlock();
    this.#usedBases[base] = 1;
    return base;
  }

  take(slot: number): void {
    while (slot >= this.size) this.#addBlock();
    this.#unlink(slot);
    this.units[slot] = 0;
  }

  #isFree(slot: number): boolean {
    return this.#next[slot] !== NONE;
  }

  #unlink(slot: number): void {
    const [next, previous] = [this.#next[slot]!, this.#previous[slot]!];
    if (next === NONE) return;
    this.#next[previous] = next;
    this.#previous[next] = previous;
    if (this.#first === slot) this.#first = next === slot ? NONE : next;
    this.#next[slot] = NONE;
  }

  #addBlock(): void {
    const start = this.size;
    this.size += BLOCK;
    if (this.size > this.units.length) this.#grow(Math.max(this.size, 2 * this.units.length));
    for (let slot = start; slot < this.size; slot++) {
      this.units[slot] = LEAF;
      const first = this.#first === NONE ? slot : this.#first;
      const last = this.#first === NONE ? slot : this.#previous[first]!;
      this.#first = first;
      this.#next[last] = slot;
      this.#previous[slot] = last;
      this.#next[slot] = first;
      this.#previous[first] = slot;
    }
    const closed = start - OPEN_BLOCKS * BLOCK;
    if (closed >= 0) for (let slot = closed; slot < closed + BLOCK; slot++) this.#unlink(slot);
  }

  #grow(length: number): void {
    this.units = grown(this.units, new Int32Array(length));
    this.#next = grown(this.#next, new Int32Array(length));
    this.#previous = grown(this.#previous, new Int32Array(length));
    this.#usedBases = grown(this.#usedBases, new Uint8Array(length));
  }
}

function inReach(offset: number): boolean {
  return offset < 1 << 21 || (offset & (BLOCK - 1)) === 0;
}

function grown<T extends Int32Array | Uint8Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
