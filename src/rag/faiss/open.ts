import os from 'node:os';
import type { InputFile } from '../../checkpoints/index.js';
import { fail } from '../../errors.js';
import { FaissReader } from './binary.js';
import { FlatSearch, type VectorBlocks } from './flat-search.js';
import { type FlatFile, type HnswFile, type IndexFile, type Metric, readIndexFile } from './format.js';
import { GraphSearch } from './hnsw-search.js';
import { Distances, VectorStore } from './vector-store.js';

/** The best vectors for several queries, those of a query side by side, best first. */
export interface Nearest {
  /** −1 where fewer were found than asked for. */
  readonly ids: Float64Array;
  /** Inner products, or squared distances. */
  readonly scores: Float32Array;
}

export interface VectorIndex {
  /** Its kind in Faiss, with its size. */
  readonly description: string;
  readonly dimension: number;
  readonly count: number;
  readonly metric: Metric;
  /** @param queries [n, dimension] */
  search(queries: Float32Array, k: number): Promise<Nearest>;
  close(): void;
}

export interface OpenIndexOptions {
  readonly threads?: number | undefined;
  /** Bytes of vectors that are kept in memory; an exact index of more is read again for each search. Default: a quarter of the machine's. */
  readonly maxMemory?: number | undefined;
}

const READ_AT_ONCE = 1 << 24;

/** Opens an index that Faiss wrote, or {@link buildIndex}. */
export async function openIndex(
  place: string,
  { threads = 1, maxMemory = os.totalmem() / 4 }: OpenIndexOptions = {},
): Promise<VectorIndex> {
  const reader = new FaissReader(place);
  try {
    const file = readIndexFile(reader);
    return open(file, reader.file, { threads, maxMemory });
  } catch (error) {
    reader.file.close();
    throw error;
  }
}

function open(
  file: IndexFile,
  from: InputFile,
  options: { readonly threads: number; readonly maxMemory: number },
): VectorIndex {
  switch (file.kind) {
    case 'flat':
      return openFlat(file, from, options);
    case 'hnsw':
      return openHnsw(file, from);
    case 'map': {
      const inner = open(file.index, from, options);
      const ids = Float64Array.from(file.ids, Number);
      return {
        ...described(`IndexIDMap of ${inner.description}`, file),
        async search(queries, k) {
          const { ids: found, scores } = await inner.search(queries, k);
          return { ids: found.map((id) => (id < 0 ? id : ids[id]!)), scores };
        },
        close: () => inner.close(),
      };
    }
    default:
      return fail('index', `there is no index of kind ${String(file satisfies never)}.`);
  }
}

function openFlat(
  file: FlatFile,
  from: InputFile,
  { threads, maxMemory }: { readonly threads: number; readonly maxMemory: number },
): VectorIndex {
  const { count, dimension, metric } = file.header;
  const fits = count * dimension * 4 <= maxMemory;
  const blocks: VectorBlocks = fits ? readStore(file, from) : new FileBlocks(file, from);
  if (fits) from.close();
  const search = new FlatSearch(blocks, metric, threads);
  return {
    ...described(metric === 'l2' ? 'IndexFlatL2' : 'IndexFlatIP', file),
    search: (queries, k) => search.search(checkQueries(queries, dimension), k),
    close() {
      search.dispose();
      from.close();
    },
  };
}

function openHnsw(file: HnswFile, from: InputFile): VectorIndex {
  const { dimension, metric, count } = file.header;
  const store = readStore(file.storage, from);
  from.close();
  const search = count > 0 ? new GraphSearch(file.graph, new Distances(store, metric)) : undefined;
  const sign = metric === 'inner-product' ? -1 : 1;
  return {
    ...described(`IndexHNSWFlat (${metric === 'l2' ? 'L2' : 'inner product'})`, file),
    async search(queries, k) {
      const total = checkQueries(queries, dimension).length / dimension;
      const ids = new Float64Array(total * k).fill(-1);
      const scores = new Float32Array(total * k).fill(sign * Infinity);
      for (let query = 0; query < total && search; query++) {
        const own = queries.subarray(query * dimension, (query + 1) * dimension);
        const found = search.search(own, k, file.graph.efSearch);
        ids.set(found.ids, query * k);
        for (const [place, distance] of found.distances.entries()) scores[query * k + place] = sign * distance;
      }
      return { ids, scores };
    },
    close() {},
  };
}

function described(name: string, { header: { count, dimension, metric } }: IndexFile) {
  return { description: `${name}, ${count} × ${dimension}`, count, dimension, metric };
}

function checkQueries(queries: Float32Array, dimension: number): Float32Array {
  if (queries.length % dimension !== 0) {
    fail('index', `queries of ${queries.length} numbers are no rows of ${dimension}, which the index has.`);
  }
  return queries;
}

function readStore({ header: { count, dimension }, position }: FlatFile, from: InputFile): VectorStore {
  const store = new VectorStore(count, dimension);
  const most = Math.max(1, Math.floor(READ_AT_ONCE / (4 * dimension)));
  for (let start = 0; start < count; ) {
    const rows = store.rows(start, most);
    from.read(position + start * 4 * dimension, rows);
    checkFiniteRows(rows, start, dimension, from);
    start += rows.length / dimension;
  }
  return store;
}

/** Vectors that stay in their file. */
class FileBlocks implements VectorBlocks {
  readonly count: number;
  readonly dimension: number;
  readonly #position: number;
  readonly #file: InputFile;
  #buffer = new Float32Array(0);

  constructor({ header: { count, dimension }, position }: FlatFile, file: InputFile) {
    this.count = count;
    this.dimension = dimension;
    this.#position = position;
    this.#file = file;
  }

  rows(start: number, most: number): Float32Array {
    const length = most * this.dimension;
    if (this.#buffer.length < length) this.#buffer = new Float32Array(length);
    const rows = this.#buffer.subarray(0, length);
    this.#file.read(this.#position + start * 4 * this.dimension, rows);
    checkFiniteRows(rows, start, this.dimension, this.#file);
    return rows;
  }
}

function checkFiniteRows(rows: Float32Array, start: number, dimension: number, file: InputFile): void {
  // Anything that is not finite goes on into the sum.
  let sum = 0;
  for (let i = 0; i < rows.length; i++) sum += rows[i]! * 0;
  if (sum === 0) return;
  const at = rows.findIndex((value) => !Number.isFinite(value));
  file.refuse(
    `has ${rows[at]} in vector ${start + Math.floor(at / dimension)}, where every number must be finite`,
    'Look for broken weights in the context encoder, and build the index again.',
  );
}
