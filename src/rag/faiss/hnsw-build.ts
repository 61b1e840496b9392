import { Random } from '../../data/index.js';
import { connect } from './connect.js';
import { Descent } from './descent.js';
import { DistanceHeap } from './distance-heap.js';
import type { Graph } from './format.js';
import { Visited } from './hnsw-search.js';
import type { Distances, VectorStore } from './vector-store.js';

/** The seed of Faiss's levels; the random numbers themselves are others. */
const SEED = 12345;

export interface GraphSettings {
  readonly m: number;
  readonly efConstruction: number;
  readonly efSearch: number;
  readonly onProgress?: ((done: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How likely a node is of each level, and the links that it then has: Faiss's `set_default_probas`. */
export function levelsOf(m: number): { assignProbas: Float64Array; neighborsPerLevel: Int32Array } {
  const scale = 1 / Math.log(m);
  const probabilities: number[] = [];
  const links = [0];
  for (let level = 0; ; level++) {
    const probability = Math.exp(-level / scale) * (1 - Math.exp(-1 / scale));
    if (probability < 1e-9) break;
    // Faiss computes it in single precision.
    probabilities.push(Math.fround(probability));
    links.push(links.at(-1)! + (level === 0 ? 2 * m : m));
  }
  return { assignProbas: Float64Array.from(probabilities), neighborsPerLevel: Int32Array.from(links) };
}

/** Gives the loop back to others now and then. */
const BREATH_MS = 200;

/**
 * Links vectors into a graph as Faiss does (`IndexHNSW::add`, Malkov & Yashunin 2016): nodes of high levels first, each found
 * its nearest among those before it and linked both ways; a node with too many links keeps those that are nearer to it than to
 * each other. The same vectors make the same graph.
 */
export async function buildGraph(store: VectorStore, distances: Distances, settings: GraphSettings): Promise<Graph> {
  const { m, efConstruction, efSearch, onProgress, signal } = settings;
  const builder = new GraphBuilder(store, distances, m, efConstruction);
  let breath = performance.now();
  for (const [done, node] of builder.order.entries()) {
    builder.add(node);
    if (performance.now() - breath < BREATH_MS) continue;
    onProgress?.(done + 1);
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    breath = performance.now();
  }
  onProgress?.(store.count);
  return builder.graph(efConstruction, efSearch);
}

class GraphBuilder {
  /** Nodes of high levels first. */
  readonly order: Uint32Array;
  readonly #store: VectorStore;
  readonly #distances: Distances;
  readonly #efConstruction: number;
  readonly #assignProbas: Float64Array;
  readonly #neighborsPerLevel: Int32Array;
  readonly #levels: Int32Array;
  readonly #offsets: Float64Array;
  readonly #neighbors: Int32Array;
  readonly #descent: Descent;
  readonly #visited: Visited;
  readonly #fresh: Int32Array;
  readonly #found: Float32Array;
  readonly #candidates = new DistanceHeap('nearest');
  readonly #results = new DistanceHeap('farthest');
  #entryPoint = -1;
  #maxLevel = -1;

  constructor(store: VectorStore, distances: Distances, m: number, efConstruction: number) {
    const { count } = store;
    const { assignProbas, neighborsPerLevel } = levelsOf(m);
    this.#store = store;
    this.#distances = distances;
    this.#efConstruction = efConstruction;
    this.#assignProbas = assignProbas;
    this.#neighborsPerLevel = neighborsPerLevel;
    this.#levels = drawLevels(count, assignProbas);
    this.#offsets = new Float64Array(count + 1);
    for (let node = 0; node < count; node++) {
      this.#offsets[node + 1] = this.#offsets[node]! + neighborsPerLevel[this.#levels[node]!]!;
    }
    this.#neighbors = new Int32Array(this.#offsets[count]!).fill(-1);
    const links = { offsets: this.#offsets, neighbors: this.#neighbors, neighborsPerLevel };
    this.#descent = new Descent(links, distances);
    this.#visited = new Visited(count);
    this.#fresh = new Int32Array(2 * m + 1);
    this.#found = new Float32Array(2 * m + 1);
    this.order = Uint32Array.from({ length: count }, (_, node) => node).sort(
      (a, b) => this.#levels[b]! - this.#levels[a]! || a - b,
    );
  }

  graph(efConstruction: number, efSearch: number): Graph {
    const links = { offsets: this.#offsets, neighbors: this.#neighbors, perNode: this.#neighborsPerLevel[1]! };
    connect(links, this.#entryPoint);
    return {
      assignProbas: this.#assignProbas,
      neighborsPerLevel: this.#neighborsPerLevel,
      levels: this.#levels,
      offsets: this.#offsets,
      neighbors: this.#neighbors,
      entryPoint: this.#entryPoint,
      maxLevel: this.#maxLevel,
      efConstruction,
      efSearch,
      upperBeam: 1,
    };
  }

  add(node: number): void {
    const own = this.#levels[node]! - 1;
    if (this.#entryPoint < 0) {
      this.#entryPoint = node;
      this.#maxLevel = own;
      return;
    }
    this.#distances.setQuery(this.#store.rows(node, 1));
    let nearest = this.#entryPoint;
    let distance = this.#distances.to(nearest);
    for (let level = this.#maxLevel; level > own; level--) {
      [nearest, distance] = this.#descent.nearest(nearest, distance, level);
    }
    for (let level = Math.min(own, this.#maxLevel); level >= 0; level--) {
      this.#collect(nearest, distance, level);
      const targets = this.#nearestOf(this.#results);
      nearest = targets.ids[0]!;
      distance = targets.distances[0]!;
      const chosen = this.#diverse(targets.ids, targets.distances, this.#linksAt(level));
      for (const target of chosen) this.#link(node, target, level);
      for (const target of chosen) this.#link(target, node, level);
    }
    if (own > this.#maxLevel) {
      this.#entryPoint = node;
      this.#maxLevel = own;
    }
  }

  /** Links of a node in a level. */
  #linksAt(level: number): number {
    return this.#neighborsPerLevel[level + 1]! - this.#neighborsPerLevel[level]!;
  }

  /** The nearest nodes of a level that a walk from `entry` comes to, into the results. */
  #collect(entry: number, distance: number, level: number): void {
    const candidates = this.#candidates;
    const results = this.#results;
    candidates.clear();
    results.clear();
    this.#visited.clear();
    this.#visited.mark(entry);
    candidates.push(entry, distance);
    results.push(entry, distance);
    while (candidates.size > 0) {
      if (candidates.topDistance > results.topDistance) break;
      const node = candidates.pop();
      const start = this.#offsets[node]! + this.#neighborsPerLevel[level]!;
      const end = start + this.#linksAt(level);
      let fresh = 0;
      for (let at = start; at < end && this.#neighbors[at]! >= 0; at++) {
        if (this.#visited.mark(this.#neighbors[at]!)) this.#fresh[fresh++] = this.#neighbors[at]!;
      }
      this.#distances.toAll(this.#fresh, fresh, this.#found);
      for (let i = 0; i < fresh; i++) {
        const found = this.#found[i]!;
        if (results.size >= this.#efConstruction && results.topDistance <= found) continue;
        results.push(this.#fresh[i]!, found);
        candidates.push(this.#fresh[i]!, found);
        if (results.size > this.#efConstruction) results.pop();
      }
    }
  }

  /** Empties a heap of which the farthest comes first. */
  #nearestOf(heap: DistanceHeap): { ids: Int32Array; distances: Float32Array } {
    const ids = new Int32Array(heap.size);
    const distances = new Float32Array(heap.size);
    for (let place = heap.size - 1; place >= 0; place--) {
      distances[place] = heap.topDistance;
      ids[place] = heap.pop();
    }
    return { ids, distances };
  }

  /** Of nodes, nearest first, all if there is room for more, else those that are nearer to the node than to each other. */
  #diverse(ids: Int32Array, distances: Float32Array, most: number): number[] {
    if (ids.length < most) return [...ids];
    const chosen: number[] = [];
    for (const [place, id] of ids.entries()) {
      const distance = distances[place]!;
      if (chosen.some((other) => this.#distances.between(other, id) < distance)) continue;
      chosen.push(id);
      if (chosen.length === most) break;
    }
    return chosen;
  }

  /** Adds a link from one node to another; where there is no room, the links are chosen anew. */
  #link(from: number, to: number, level: number): void {
    const start = this.#offsets[from]! + this.#neighborsPerLevel[level]!;
    const end = start + this.#linksAt(level);
    const neighbors = this.#neighbors;
    if (neighbors[end - 1] === -1) {
      // Links are filled from the front.
      let [low, high] = [start, end - 1];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (neighbors[middle] === -1) high = middle;
        else low = middle + 1;
      }
      neighbors[low] = to;
      return;
    }
    const results = this.#results;
    results.clear();
    const count = end - start + 1;
    this.#fresh[0] = to;
    this.#fresh.set(neighbors.subarray(start, end), 1);
    this.#distances.fromRow(from, this.#fresh, count, this.#found);
    for (let i = 0; i < count; i++) results.push(this.#fresh[i]!, this.#found[i]!);
    const { ids, distances } = this.#nearestOf(results);
    const chosen = this.#diverse(ids, distances, end - start);
    neighbors.fill(-1, start, end);
    neighbors.set(chosen, start);
  }
}

/** Levels of nodes, counted from 1. */
function drawLevels(count: number, probabilities: Float64Array): Int32Array {
  const random = new Random(SEED, 0);
  return Int32Array.from({ length: count }, () => {
    let left = random.next();
    for (const [level, probability] of probabilities.entries()) {
      if (left < probability) return level + 1;
      left -= probability;
    }
    return probabilities.length;
  });
}
