import type { Graph } from './format.js';
import type { Distances } from './vector-store.js';

/** The links of all levels. */
export type Links = Pick<Graph, 'offsets' | 'neighbors' | 'neighborsPerLevel'>;

/** The most links that a node has in one level. */
export const mostLinks = ({ neighborsPerLevel }: Pick<Links, 'neighborsPerLevel'>) =>
  Math.max(1, ...neighborsPerLevel.map((links, level, all) => links - (all[level - 1] ?? 0)));

/** Walks within a level towards the query that the distances have, as Faiss's `greedy_update_nearest`. */
export class Descent {
  readonly #links: Links;
  readonly #distances: Distances;
  readonly #ids: Int32Array;
  readonly #found: Float32Array;

  constructor(links: Links, distances: Distances) {
    this.#links = links;
    this.#distances = distances;
    this.#ids = new Int32Array(mostLinks(links));
    this.#found = new Float32Array(this.#ids.length);
  }

  /** Goes to a nearer neighbour as long as there is one. */
  nearest(node: number, distance: number, level: number): [node: number, distance: number] {
    const { offsets, neighbors, neighborsPerLevel } = this.#links;
    for (;;) {
      const start = offsets[node]! + neighborsPerLevel[level]!;
      const end = offsets[node]! + neighborsPerLevel[level + 1]!;
      let count = 0;
      for (let at = start; at < end && neighbors[at]! >= 0; at++) this.#ids[count++] = neighbors[at]!;
      this.#distances.toAll(this.#ids, count, this.#found);
      const before = node;
      for (let i = 0; i < count; i++) {
        if (this.#found[i]! >= distance) continue;
        distance = this.#found[i]!;
        node = this.#ids[i]!;
      }
      if (node === before) return [node, distance];
    }
  }
}
