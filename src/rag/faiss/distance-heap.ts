/** Nodes by their distance; the nearest or the farthest comes first. */
export class DistanceHeap {
  readonly #sign: 1 | -1;
  #ids = new Int32Array(64);
  /** Times the sign: the least is the first. */
  #keys = new Float32Array(64);
  size = 0;

  constructor(first: 'nearest' | 'farthest') {
    this.#sign = first === 'nearest' ? 1 : -1;
  }

  clear(): void {
    this.size = 0;
  }

  /** Of the first. */
  get topDistance(): number {
    return this.#sign * this.#keys[0]!;
  }

  push(id: number, distance: number): void {
    if (this.size === this.#ids.length) this.#grow();
    const [ids, keys, key] = [this.#ids, this.#keys, this.#sign * distance];
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (keys[parent]! <= key) break;
      keys[at] = keys[parent]!;
      ids[at] = ids[parent]!;
      at = parent;
    }
    keys[at] = key;
    ids[at] = id;
  }

  /** Takes the first. */
  pop(): number {
    const [ids, keys] = [this.#ids, this.#keys];
    const first = ids[0]!;
    const size = --this.size;
    const [id, key] = [ids[size]!, keys[size]!];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && keys[child + 1]! < keys[child]!) child++;
      if (keys[child]! >= key) break;
      keys[at] = keys[child]!;
      ids[at] = ids[child]!;
      at = child;
    }
    keys[at] = key;
    ids[at] = id;
    return first;
  }

  #grow(): void {
    const [ids, keys] = [new Int32Array(2 * this.size), new Float32Array(2 * this.size)];
    ids.set(this.#ids);
    keys.set(this.#keys);
    [this.#ids, this.#keys] = [ids, keys];
  }
}
