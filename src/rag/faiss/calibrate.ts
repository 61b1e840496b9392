import { Random } from '../../data/index.js';
import { fillNormal } from '../../models/index.js';
import { FlatSearch } from './flat-search.js';
import type { Graph, Metric } from './format.js';
import { GraphSearch } from './hnsw-search.js';
import type { Distances, VectorStore } from './vector-store.js';

/** Questions of the trial, of each kind. */
const QUERIES = 64;
const BEST = 5;
/** Of the best; a little more than users are promised. */
const WANTED = 0.995;
const SAMPLES = 1000;
const LEAST = 16;
const MOST = 4096;

interface MixedStore {
  readonly count: number;
  readonly dimension: number;
  readonly rows: (row: number) => Float32Array;
}

/**
 * The least power of two of nodes in sight with which a search finds 99.5 % of the five best that comparing all finds, for each
 * of three kinds of queries: mixes of two vectors, which are near to data in clusters; mixes of eight, which are nearer to its
 * middle; and strangers that share no more with it than mean and spread.
 */
export async function calibratedEfSearch(
  store: VectorStore,
  distances: Distances,
  graph: Graph,
  { metric, threads }: { readonly metric: Metric; readonly threads: number },
): Promise<number> {
  const { count, dimension } = store;
  const best = Math.min(BEST, count);
  const random = new Random(1, 0);
  const mixed = { count, dimension, rows: (row: number) => store.rows(row, 1) };
  const kinds = [mixes(mixed, random, 2), mixes(mixed, random, 8), strangers(mixed, random)];
  const exact = new FlatSearch(store, metric, threads);
  const wanted: Float64Array[] = [];
  for (const queries of kinds) wanted.push((await exact.search(queries, best)).ids);
  exact.dispose();
  const search = new GraphSearch(graph, distances);
  const share = (kind: number, efSearch: number) => {
    let found = 0;
    for (let query = 0; query < QUERIES; query++) {
      const own = kinds[kind]!.subarray(query * dimension, (query + 1) * dimension);
      const known = new Set(wanted[kind]!.subarray(query * best, (query + 1) * best));
      for (const id of search.search(own, best, efSearch).ids) if (known.has(id)) found++;
    }
    return found / (QUERIES * best);
  };
  for (let efSearch = LEAST; efSearch < MOST; efSearch *= 2) {
    if (efSearch >= count || kinds.every((_, kind) => share(kind, efSearch) >= WANTED)) return efSearch;
  }
  return MOST;
}

/** [queries, dimension]: sums of some vectors, each times a random number, as long as one of them. */
function mixes({ count, dimension, rows }: MixedStore, random: Random, parts: number): Float32Array {
  const queries = new Float32Array(QUERIES * dimension);
  for (let query = 0; query < QUERIES; query++) {
    const weights = Array.from({ length: parts }, () => random.next());
    const length = Math.sqrt(weights.reduce((sum, weight) => sum + weight * weight, 0));
    for (const weight of weights) {
      const row = rows(Math.floor(random.next() * count));
      for (let i = 0; i < dimension; i++) queries[query * dimension + i]! += (weight / length) * row[i]!;
    }
  }
  return queries;
}

/** [queries, dimension]: numbers of the mean and spread that some of the vectors have there. */
function strangers({ count, dimension, rows }: MixedStore, random: Random): Float32Array {
  const [sums, squares] = [new Float64Array(dimension), new Float64Array(dimension)];
  for (let sample = 0; sample < SAMPLES; sample++) {
    const row = rows(Math.floor(random.next() * count));
    for (let i = 0; i < dimension; i++) {
      sums[i]! += row[i]! / SAMPLES;
      squares[i]! += row[i]! ** 2 / SAMPLES;
    }
  }
  const queries = new Float32Array(QUERIES * dimension);
  fillNormal(queries, random, 1);
  return queries.map((value, at) => {
    const i = at % dimension;
    return sums[i]! + value * Math.sqrt(Math.max(0, squares[i]! - sums[i]! ** 2));
  });
}
