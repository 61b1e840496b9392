import { Descent, mostLinks } from './descent.js';
import type { Graph } from './format.js';
import type { Distances } from './vector-store.js';

/** Nodes that a search keeps, nearest first; those that were gone through stay, as in Faiss's MinimaxHeap. */
class Candidates {
  readonly ids: Int32Array;
  readonly distances: Float32Array;
  readonly #done: Uint8Array;
  size = 0;
  /** Nothing before it is still to be gone through. */
  #next = 0;

  constructor(capacity: number) {
    this.ids = new Int32Array(capacity + 1);
    this.distances = new Float32Array(capacity + 1);
    this.#done = new Uint8Array(capacity + 1);
  }

  clear(): void {
    this.size = this.#next = 0;
  }

  push(id: number, distance: number): void {
    const { distances, ids } = this;
    const done = this.#done;
    const capacity = ids.length - 1;
    if (this.size === capacity && !(distance < distances[capacity - 1]!)) return;
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (distances[middle]! <= distance) low = middle + 1;
      else high = middle;
    }
    for (let at = this.size; at > low; at--) {
      distances[at] = distances[at - 1]!;
      ids[at] = ids[at - 1]!;
      done[at] = done[at - 1]!;
    }
    distances[low] = distance;
    ids[low] = id;
    done[low] = 0;
    if (this.size < capacity) this.size++;
    if (low < this.#next) this.#next = low;
  }

  /** The place of the nearest one that was not gone through, which then is; −1 without any. */
  pop(): number {
    while (this.#next < this.size && this.#done[this.#next] === 1) this.#next++;
    if (this.#next === this.size) return -1;
    this.#done[this.#next] = 1;
    return this.#next;
  }
}

/** Marks of nodes, all gone at once. */
export class Visited {
  readonly #marks: Uint32Array;
  #round = 0;

  constructor(count: number) {
    this.#marks = new Uint32Array(count);
  }

  clear(): void {
    this.#round++;
  }

  /** Whether a node has its mark now and had none before. */
  mark(node: number): boolean {
    if (this.#marks[node] === this.#round) return false;
    this.#marks[node] = this.#round;
    return true;
  }
}

/**
 * Searches a graph as Faiss does (`HNSW::search` of version 1.15): from the entry point down its levels to the nearest node of
 * each, and then, in the lowest, from one of the `ef` nearest nodes known to the next.
 */
export class GraphSearch {
  readonly #graph: Graph;
  readonly #distances: Distances;
  readonly #descent: Descent;
  readonly #visited: Visited;
  readonly #fresh: Int32Array;
  readonly #found: Float32Array;
  #candidates = new Candidates(0);

  constructor(graph: Graph, distances: Distances) {
    const most = mostLinks(graph);
    this.#graph = graph;
    this.#distances = distances;
    this.#descent = new Descent(graph, distances);
    this.#visited = new Visited(graph.levels.length);
    this.#fresh = new Int32Array(most);
    this.#found = new Float32Array(most);
  }

  /** The `k` nearest to a query, nearest first; fewer where the graph leads to no more. */
  search(query: Float32Array, k: number, efSearch: number): { ids: Int32Array; distances: Float32Array } {
    const graph = this.#graph;
    const distances = this.#distances;
    distances.setQuery(query);
    let nearest = graph.entryPoint;
    let distance = distances.to(nearest);
    for (let level = graph.maxLevel; level >= 1; level--) {
      [nearest, distance] = this.#descent.nearest(nearest, distance, level);
    }
    const ef = Math.max(efSearch, k);
    if (this.#candidates.ids.length !== ef + 1) this.#candidates = new Candidates(ef);
    const candidates = this.#candidates;
    const visited = this.#visited;
    visited.clear();
    candidates.clear();
    visited.mark(nearest);
    candidates.push(nearest, distance);
    for (let place = candidates.pop(); place >= 0; place = candidates.pop()) {
      // So many nodes are nearer that none behind this one can lead to a result.
      if (this.#before(place) >= efSearch) break;
      const fresh = this.#freshNeighbors(candidates.ids[place]!);
      distances.toAll(this.#fresh, fresh, this.#found);
      for (let i = 0; i < fresh; i++) candidates.push(this.#fresh[i]!, this.#found[i]!);
    }
    const count = Math.min(k, candidates.size);
    return { ids: candidates.ids.subarray(0, count), distances: candidates.distances.subarray(0, count) };
  }

  /** How many candidates are nearer than the one at a place. */
  #before(place: number): number {
    const { distances } = this.#candidates;
    let first = place;
    while (first > 0 && distances[first - 1] === distances[place]) first--;
    return first;
  }

  /** Neighbours in the lowest level that were not seen yet. */
  #freshNeighbors(node: number): number {
    const { offsets, neighbors, neighborsPerLevel } = this.#graph;
    const start = offsets[node]!;
    const end = start + neighborsPerLevel[1]!;
    let fresh = 0;
    for (let at = start; at < end; at++) {
      const neighbor = neighbors[at]!;
      if (neighbor < 0) break;
      if (this.#visited.mark(neighbor)) this.#fresh[fresh++] = neighbor;
    }
    return fresh;
  }
}
