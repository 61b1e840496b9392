const encoder = new TextEncoder();
/** Units come in blocks of so many, since a byte is a label. */
const BLOCK = 256;
/** Units further back than this are left as they are: to look for gaps there takes longer than they are worth. */
const SEARCHED = 16 * BLOCK;
const ROOT = 0;
const LEAF = 1 << 31;
const HAS_LEAF = 1 << 8;
/** The child of no node. */
const UNUSED = LEAF;

/**
 * The index of a `precompiled_charsmap`, a double array in the units of Darts-clone (`sentencepiece/double-array.ts` has the
 * format): keys, none of them empty or with a NUL, and what they lead to. SentencePiece takes only an array whose root has an
 * offset that is not zero.
 */
export function dartsUnits(values: ReadonlyMap<string, number>): Int32Array {
  const keys = Array.from(values, ([key, value]) => ({ bytes: encoder.encode(key), value }));
  keys.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  const slots = new Slots();
  /** Nodes to be given children: unit, depth, and the range of keys that go through it. */
  const pending: [node: number, depth: number, from: number, to: number][] = [[ROOT, 0, 0, keys.length]];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const [node, depth, from, to] = next;
    const children = new Map<number, number>();
    for (let i = from; i < to; i++) {
      const label = keys[i]!.bytes[depth] ?? 0;
      if (!children.has(label)) children.set(label, i);
    }
    const labels = [...children.keys()];
    const starts = [...children.values()];
    const base = slots.place(labels);
    slots.units[node] = (slots.units[node]! & 255) | (labels[0] === 0 ? HAS_LEAF : 0) | ((node ^ base) << 10);
    for (const [i, label] of labels.entries()) {
      slots.units[base ^ label] = label === 0 ? LEAF | keys[starts[i]!]!.value : label;
      if (label !== 0) pending.push([base ^ label, depth + 1, starts[i]!, starts[i + 1] ?? to]);
    }
  }
  return slots.units.slice(0, slots.size);
}

/** Units, those that are taken, and the places from which the children of a node are counted. */
class Slots {
  units = new Int32Array(BLOCK).fill(UNUSED);
  size = BLOCK;
  #taken = new Uint8Array(BLOCK);
  #bases = new Uint8Array(BLOCK);

  constructor() {
    this.#taken[ROOT] = 1;
    this.#bases[ROOT] = 1;
    this.units[ROOT] = 0;
  }

  /** Takes the units `base ^ label`, all of them free, for a base that no other node has. */
  place(labels: readonly number[]): number {
    const base = this.#find(labels) ?? this.#grow();
    this.#bases[base] = 1;
    for (const label of labels) this.#taken[base ^ label] = 1;
    return base;
  }

  #find(labels: readonly number[]): number | undefined {
    for (let slot = Math.max(0, this.size - SEARCHED); slot < this.size; slot++) {
      if (this.#taken[slot]) continue;
      const base = slot ^ labels[0]!;
      if (!this.#bases[base] && labels.every((label) => !this.#taken[base ^ label])) return base;
    }
    return undefined;
  }

  /** A block more; its beginning is a base for any labels. */
  #grow(): number {
    const base = this.size;
    this.size += BLOCK;
    if (this.size > this.units.length) {
      const [units, taken, bases] = [this.units, this.#taken, this.#bases];
      this.units = new Int32Array(2 * this.size).fill(UNUSED);
      this.#taken = new Uint8Array(2 * this.size);
      this.#bases = new Uint8Array(2 * this.size);
      this.units.set(units);
      this.#taken.set(taken);
      this.#bases.set(bases);
    }
    return base;
  }
}
