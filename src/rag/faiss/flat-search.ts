import { compile, type Program, Tensor } from '../../engine/index.js';
import { cast, input, matmul, subtract, topK } from '../../graph/index.js';
import { disposeAll } from '../../models/index.js';
import type { Metric } from './format.js';

/** Scores that one product makes, at most: some rows of queries times some rows of vectors. */
const MOST_SCORES = 1 << 24;
const MOST_QUERIES = 1024;
const MOST_ROWS = 1 << 13;

/** Vectors, some rows at a time: views, or read from a file. */
export interface VectorBlocks {
  readonly count: number;
  readonly dimension: number;
  /** Rows from `start` on, `most` at most and at least one. */
  rows(start: number, most: number): Float32Array;
}

/**
 * Finds the best of all vectors by one matrix product and top-k over some rows at a time. Squared distances are ranked by
 * 2·q·x − |x|², of which |q|² is left out: it is the same for all.
 */
export class FlatSearch {
  readonly #vectors: VectorBlocks;
  readonly #metric: Metric;
  readonly #threads: number;
  readonly #programs = new Map<number, Program>();
  /** |x|² of the rows from a place on. */
  readonly #squares = new Map<number, Float32Array>();

  constructor(vectors: VectorBlocks, metric: Metric, threads: number) {
    this.#vectors = vectors;
    this.#metric = metric;
    this.#threads = threads;
  }

  async search(queries: Float32Array, k: number): Promise<{ ids: Float64Array; scores: Float32Array }> {
    const { dimension, count } = this.#vectors;
    const total = queries.length / dimension;
    const ids = new Float64Array(total * k).fill(-1);
    const scores = new Float32Array(total * k).fill(-Infinity);
    for (let start = 0; start < count; ) {
      const rows = this.#vectors.rows(start, Math.min(MOST_ROWS, count - start));
      const found = rows.length / dimension;
      const block = Tensor.from(rows, [found, dimension]);
      const squares = this.#metric === 'l2' ? Tensor.from(this.#squaresAt(start, rows), [1, found]) : undefined;
      const together = Math.min(MOST_QUERIES, Math.max(1, Math.floor(MOST_SCORES / found)));
      for (let first = 0; first < total; first += together) {
        const some = queries.subarray(first * dimension, (first + together) * dimension);
        await this.#searchBlock(
          some,
          { block, squares, start, found },
          k,
          ids.subarray(first * k),
          scores.subarray(first * k),
        );
      }
      block.dispose();
      squares?.dispose();
      start += found;
    }
    return { ids, scores: this.#metric === 'l2' ? this.#asDistances(queries, scores, k) : scores };
  }

  #squaresAt(start: number, rows: Float32Array): Float32Array {
    const squares = this.#squares.get(start) ?? squaresOf(rows, this.#vectors.dimension);
    this.#squares.set(start, squares);
    return squares;
  }

  dispose(): void {
    for (const program of this.#programs.values()) program.dispose();
    this.#programs.clear();
  }

  async #searchBlock(
    queries: Float32Array,
    { block, squares, start, found }: { block: Tensor; squares: Tensor | undefined; start: number; found: number },
    k: number,
    ids: Float64Array,
    scores: Float32Array,
  ): Promise<void> {
    const { dimension } = this.#vectors;
    const count = queries.length / dimension;
    const best = Math.min(k, found);
    const fed = { queries: Tensor.from(queries, [count, dimension]) };
    const inputs = { ...fed, vectors: block, ...(squares && { squares }) };
    const results = await this.#program(best).run(inputs);
    const [values, places] = [results.values!.data as Float32Array, results.places!.data as Int32Array];
    for (let query = 0; query < count; query++) {
      const own = ids.subarray(query * k, (query + 1) * k);
      const ownScores = scores.subarray(query * k, (query + 1) * k);
      for (let place = 0; place < best; place++) {
        const at = query * best + place;
        if (!insert(own, ownScores, start + places[at]!, values[at]!)) break;
      }
    }
    disposeAll(fed, results);
  }

  #program(k: number): Program {
    const existing = this.#programs.get(k);
    if (existing) return existing;
    const { dimension } = this.#vectors;
    const queries = input('queries', 'float32', ['queries', dimension]);
    const vectors = input('vectors', 'float32', ['rows', dimension]);
    const isL2 = this.#metric === 'l2';
    const products = matmul(queries, vectors, { transposeB: true, scale: isL2 ? 2 : 1 });
    const ranked = isL2 ? subtract(products, input('squares', 'float32', [1, 'rows'])) : products;
    const { values, indices } = topK(ranked, k);
    const program = compile(
      { values, places: cast(indices, 'int32') },
      { name: 'exact search', threads: this.#threads },
    );
    this.#programs.set(k, program);
    return program;
  }

  #asDistances(queries: Float32Array, scores: Float32Array, k: number): Float32Array {
    const squares = squaresOf(queries, this.#vectors.dimension);
    return scores.map((score, i) => Math.max(0, squares[Math.floor(i / k)]! - score));
  }
}

/** Puts a result where it belongs among the best so far, behind equal ones; false where it is none of them. */
function insert(ids: Float64Array, scores: Float32Array, id: number, score: number): boolean {
  let place = ids.length;
  while (place > 0 && (ids[place - 1] === -1 || scores[place - 1]! < score)) place--;
  if (place === ids.length) return false;
  ids.copyWithin(place + 1, place, ids.length - 1);
  scores.copyWithin(place + 1, place, scores.length - 1);
  ids[place] = id;
  scores[place] = score;
  return true;
}

/** |x|² of each row. */
function squaresOf(rows: Float32Array, dimension: number): Float32Array {
  return Float32Array.from({ length: rows.length / dimension }, (_, row) => {
    let total = 0;
    for (let i = row * dimension; i < (row + 1) * dimension; i++) total += rows[i]! * rows[i]!;
    return total;
  });
}
