/** The links of the lowest level. */
export interface LowestLinks {
  readonly offsets: Float64Array;
  readonly neighbors: Int32Array;
  /** Room for links of a node; −1 where there is none. */
  readonly perNode: number;
}

/**
 * Makes every node one that a walk from the entry point can come to. By inner products some are nobody's near neighbour, and are
 * dropped from all lists: each gets a link from one of its own neighbours, in a free place or in that of a node which has
 * links enough.
 */
export function connect({ offsets, neighbors, perNode }: LowestLinks, entryPoint: number): void {
  const count = offsets.length - 1;
  const incoming = new Uint32Array(count);
  const eachLink = (node: number, visit: (neighbor: number, at: number) => boolean | undefined) => {
    const start = offsets[node]!;
    for (let at = start; at < start + perNode && neighbors[at]! >= 0; at++) if (visit(neighbors[at]!, at)) return;
  };
  for (let node = 0; node < count; node++) {
    eachLink(node, (neighbor) => {
      incoming[neighbor]!++;
      return undefined;
    });
  }
  const reached = new Uint8Array(count);
  const walk = (from: number) => {
    const waiting = [from];
    reached[from] = 1;
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      eachLink(node, (neighbor) => {
        if (reached[neighbor] === 0) {
          reached[neighbor] = 1;
          waiting.push(neighbor);
        }
        return undefined;
      });
    }
  };
  walk(entryPoint);
  for (let node = 0; node < count; node++) {
    if (reached[node] === 1) continue;
    const from = nearestReached(node) ?? entryPoint;
    const place = placeIn(from);
    const before = neighbors[place]!;
    if (before >= 0) incoming[before]!--;
    neighbors[place] = node;
    incoming[node]!++;
    walk(node);
  }

  function nearestReached(node: number): number | undefined {
    let found: number | undefined;
    eachLink(node, (neighbor) => {
      if (reached[neighbor] === 1) found = neighbor;
      return found !== undefined;
    });
    return found;
  }

  /** A free place, or that of the link whose node has the most others. */
  function placeIn(node: number): number {
    const start = offsets[node]!;
    let place = start;
    for (let at = start; at < start + perNode; at++) {
      const neighbor = neighbors[at]!;
      if (neighbor < 0) return at;
      if (incoming[neighbor]! >= incoming[neighbors[place]!]!) place = at;
    }
    return place;
  }
}
