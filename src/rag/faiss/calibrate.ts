import { Random } from '../../data/index.js';
import { FlatSearch } from './flat-search.js';
import type { Graph, Metric } from './format.js';
import { GraphSearch } from './hnsw-search.js';
import type { Distances, VectorStore } from './vector-store.js';

/** Questions of the trial. */
const QUERIES = 128;
const BEST = 5;
const WANTED = 0.995;
const LEAST = 16;
const MOST = 4096;

/**
 * The least power of two of nodes in sight with which a search finds 99.5 % of the five best that comparing all finds. The
 * trial's queries are mixes of vectors: of two, which are near to data in clusters, and of eight, which are as far from all of it
 * as strangers are.
 */
export async function calibratedEfSearch(
  store: VectorStore,
  distances: Distances,
  graph: Graph,
  { metric, threads }: { readonly metric: Metric; readonly threads: number },
): Promise<number> {
  const { count, dimension } = store;
  const best = Math.min(BEST, count);
  const queries = mixes(store);
  const exact = new FlatSearch(store, metric, threads);
  const { ids } = await exact.search(queries, best);
  exact.dispose();
  const search = new GraphSearch(graph, distances);
  for (let efSearch = LEAST; efSearch < MOST; efSearch *= 2) {
    let found = 0;
    for (let query = 0; query < QUERIES; query++) {
      const own = queries.subarray(query * dimension, (query + 1) * dimension);
      const wanted = new Set(ids.subarray(query * best, (query + 1) * best));
      for (const id of search.search(own, best, efSearch).ids) if (wanted.has(id)) found++;
    }
    if (found >= WANTED * QUERIES * best || efSearch >= count) return efSearch;
  }
  return MOST;
}

/** [queries, dimension]: sums of some vectors, each times a random number, as long as one of them. */
function mixes(store: VectorStore): Float32Array {
  const { count, dimension } = store;
  const random = new Random(1, 0);
  const queries = new Float32Array(QUERIES * dimension);
  for (let query = 0; query < QUERIES; query++) {
    const parts = query % 2 === 0 ? 2 : 8;
    const weights = Array.from({ length: parts }, () => random.next());
    const length = Math.sqrt(weights.reduce((sum, weight) => sum + weight * weight, 0));
    for (const weight of weights) {
      const row = store.rows(Math.floor(random.next() * count), 1);
      for (let i = 0; i < dimension; i++) queries[query * dimension + i]! += (weight / length) * row[i]!;
    }
  }
  return queries;
}
