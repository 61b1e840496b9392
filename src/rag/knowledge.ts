import type { Passage } from './passage.js';

/** The best passages for several queries, those of a query side by side, best first. */
export interface SearchResults {
  /** Numbers of passages; −1 where fewer were found than asked for. */
  readonly ids: Float64Array;
  /** Inner products, or of an index of distances the squared distances. */
  readonly scores: Float32Array;
}

/** Passages with their vectors, and a way to find those nearest to others. */
export interface Knowledge {
  /** What it is and where, in a few words. */
  readonly description: string;
  readonly count: number;
  /** Numbers of a vector. */
  readonly dimension: number;
  /** @param queries [n, dimension] */
  search(queries: Float32Array, k: number): Promise<SearchResults>;
  passages(ids: ArrayLike<number>): Promise<Passage[]>;
  /** [ids, dimension] */
  vectors(ids: ArrayLike<number>): Promise<Float32Array>;
  close(): Promise<void>;
}
