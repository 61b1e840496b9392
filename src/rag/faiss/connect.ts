/** The links of the lowest level. */
export interface LowestLinks {
  readonly offsets: Float64Array;
  readonly neighbors: Int32Array;
  /** Room for links of a node; −1 where there is none. */
  readonly perNode: number;
}

/**
 * Makes every node one that a walk from the entry point can come to. By inner products some are nobody's near neighbour, and are
 * dropped from all lists: each gets a link from the first node around it that can be come to and has room for one.
 */
export function connect({ offsets, neighbors, perNode }: LowestLinks, entryPoint: number): void {
  const count = offsets.length - 1;
  const reached = new Uint8Array(count);
  const linksOf = (node: number) => {
    const links = neighbors.subarray(offsets[node]!, offsets[node]! + perNode);
    const end = links.indexOf(-1);
    return end < 0 ? links : links.subarray(0, end);
  };
  const reachFrom = (first: number) => {
    const waiting = [first];
    reached[first] = 1;
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      for (const neighbor of linksOf(node)) {
        if (reached[neighbor] === 1) continue;
        reached[neighbor] = 1;
        waiting.push(neighbor);
      }
    }
  };
  /** The nearest by links, those of a node first, then those of its neighbours. */
  const withRoom = (node: number): number | undefined => {
    const seen = new Set([node]);
    for (const each of seen) {
      if (reached[each] === 1 && linksOf(each).length < perNode) return each;
      for (const neighbor of linksOf(each)) seen.add(neighbor);
    }
    return undefined;
  };

  reachFrom(entryPoint);
  for (let node = 0; node < count; node++) {
    if (reached[node] === 1) continue;
    const from = withRoom(node);
    if (from === undefined) continue;
    neighbors[offsets[from]! + linksOf(from).length] = node;
    reachFrom(node);
  }
}
