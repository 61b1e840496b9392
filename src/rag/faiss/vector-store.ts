import { SharedMemory } from '../../kernels/index.js';
import type { Metric } from './format.js';

const ALIGNMENT = 64;
/** Rows whose distances are computed by one call. */
const MOST_ROWS = 4096;
/** A memory holds 4 GiB at most; some pages are left for what stands before the vectors. */
const SLAB_BYTES = 2 ** 32 - 2 ** 20;
const align = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

interface Slab {
  readonly memory: SharedMemory;
  /** Byte of its first row. */
  readonly table: number;
}

/** Vectors in memory that kernels and the engine see, in several where one is too small. */
export class VectorStore {
  readonly count: number;
  readonly dimension: number;
  /** Of a slab; the last may have fewer. */
  readonly slabRows: number;
  readonly slabs: readonly Slab[];
  /** Bytes before the table: a query, row numbers, their distances. */
  readonly scratch: { readonly query: number; readonly ids: number; readonly out: number };

  constructor(count: number, dimension: number, slabBytes = SLAB_BYTES) {
    const width = 4 * dimension;
    const ids = align(width);
    const out = ids + 4 * MOST_ROWS;
    const table = out + 4 * MOST_ROWS;
    this.count = count;
    this.dimension = dimension;
    this.scratch = { query: 0, ids, out };
    this.slabRows = Math.max(1, Math.floor((slabBytes - table) / width));
    this.slabs = Array.from({ length: Math.ceil(count / this.slabRows) }, (_, slab) => {
      const rows = Math.min(this.slabRows, count - slab * this.slabRows);
      const bytes = table + rows * width;
      return { memory: new SharedMemory(bytes, bytes), table };
    });
  }

  /** Rows from `start` on, as many as lie together, `most` at most: a view. */
  rows(start: number, most = Number.POSITIVE_INFINITY): Float32Array {
    const slab = this.slabs[Math.floor(start / this.slabRows)]!;
    const place = start % this.slabRows;
    const rows = Math.min(most, this.slabRows - place, this.count - start);
    const offset = slab.table + place * 4 * this.dimension;
    return new Float32Array(slab.memory.memory.buffer, offset, rows * this.dimension);
  }

  write(start: number, vectors: Float32Array): void {
    for (let done = 0; done < vectors.length; ) {
      const into = this.rows(start + done / this.dimension);
      const piece = vectors.subarray(done, done + into.length);
      into.set(piece);
      done += piece.length;
    }
  }
}

/** How far vectors of a store are from a query, or from one another; less is nearer. */
export class Distances {
  readonly #store: VectorStore;
  readonly #metric: 0 | 1;
  readonly #queries: readonly Float32Array[];
  readonly #ids: readonly Uint32Array[];
  readonly #out: readonly Float32Array[];
  readonly #single: (a: number, b: number, count: number) => number;
  readonly #width: number;
  readonly #id = new Int32Array(1);
  readonly #distance = new Float32Array(1);

  constructor(store: VectorStore, metric: Metric) {
    const { slabs, scratch, dimension } = store;
    this.#store = store;
    this.#width = 4 * dimension;
    this.#metric = metric === 'inner-product' ? 0 : 1;
    const buffers = slabs.map(({ memory }) => memory.memory.buffer);
    this.#queries = buffers.map((buffer) => new Float32Array(buffer, scratch.query, dimension));
    this.#ids = buffers.map((buffer) => new Uint32Array(buffer, scratch.ids, MOST_ROWS));
    this.#out = buffers.map((buffer) => new Float32Array(buffer, scratch.out, MOST_ROWS));
    const [first] = slabs;
    const { innerProduct, squaredDistance } = first!.memory.exports;
    this.#single = this.#metric === 0 ? (a, b, n) => -innerProduct(a, b, n) : squaredDistance;
  }

  setQuery(query: Float32Array): void {
    for (const place of this.#queries) place.set(query);
  }

  /** Of a row from the query. */
  to(id: number): number {
    this.#id[0] = id;
    this.toAll(this.#id, 1, this.#distance);
    return this.#distance[0]!;
  }

  /** Of the first `count` of some rows from the query. */
  toAll(ids: Int32Array, count: number, into: Float32Array): void {
    const { slabs, slabRows, scratch, dimension } = this.#store;
    if (slabs.length === 1 && count <= MOST_ROWS) {
      const [{ memory, table }] = slabs as [Slab];
      const [asked, found] = [this.#ids[0]!, this.#out[0]!];
      for (let i = 0; i < count; i++) asked[i] = ids[i]!;
      memory.exports.rowDistances(scratch.query, table, scratch.ids, count, dimension, this.#metric, scratch.out);
      for (let i = 0; i < count; i++) into[i] = found[i]!;
      return;
    }
    for (let start = 0; start < count; start += MOST_ROWS) {
      const end = Math.min(count, start + MOST_ROWS);
      for (const [index, { memory, table }] of slabs.entries()) {
        const asked = this.#ids[index]!;
        const first = index * slabRows;
        let rows = 0;
        for (let i = start; i < end; i++) {
          const row = ids[i]! - first;
          if (row >= 0 && row < slabRows) asked[rows++] = row;
        }
        if (rows === 0) continue;
        const { query, ids: at, out } = scratch;
        memory.exports.rowDistances(query, table, at, rows, dimension, this.#metric, out);
        const found = this.#out[index]!;
        for (let i = start, row = 0; i < end && row < rows; i++) {
          const place = ids[i]! - first;
          if (place >= 0 && place < slabRows) into[i] = found[row++]!;
        }
      }
    }
  }

  /** Of the first `count` of some rows from another row. */
  fromRow(row: number, ids: Int32Array, count: number, into: Float32Array): void {
    const { slabs, scratch, dimension } = this.#store;
    if (slabs.length > 1 || count > MOST_ROWS) {
      for (let i = 0; i < count; i++) into[i] = this.between(row, ids[i]!);
      return;
    }
    const [{ memory, table }] = slabs as [Slab];
    this.#ids[0]!.set(count === ids.length ? ids : ids.subarray(0, count));
    const query = table + row * this.#width;
    memory.exports.rowDistances(query, table, scratch.ids, count, dimension, this.#metric, scratch.out);
    into.set(this.#out[0]!.subarray(0, count));
  }

  /** Of two rows. */
  between(a: number, b: number): number {
    const { slabs, dimension } = this.#store;
    if (slabs.length === 1) {
      const { table } = slabs[0]!;
      return this.#single(table + a * this.#width, table + b * this.#width, dimension);
    }
    const [x, y] = [this.#store.rows(a, 1), this.#store.rows(b, 1)];
    let total = 0;
    if (this.#metric === 0) for (let i = 0; i < dimension; i++) total -= x[i]! * y[i]!;
    else for (let i = 0; i < dimension; i++) total += (x[i]! - y[i]!) ** 2;
    return total;
  }
}
