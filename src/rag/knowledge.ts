import type { Nearest } from './faiss/index.js';
import type { Passage } from './passage.js';

/** Passages with their vectors, and a way to find those nearest to others. */
export interface Knowledge {
  /** What it is and where, in a few words. */
  readonly description: string;
  readonly count: number;
  /** Numbers of a vector. */
  readonly dimension: number;
  /** Numbers of passages, best first. @param queries [n, dimension] */
  search(queries: Float32Array, k: number): Promise<Nearest>;
  passages(ids: ArrayLike<number>): Promise<Passage[]>;
  /** [ids, dimension] */
  vectors(ids: ArrayLike<number>): Promise<Float32Array>;
  /** Leaves it in a directory, if it is made of files. */
  saveTo?(directory: string): Promise<void>;
  close(): Promise<void>;
}
