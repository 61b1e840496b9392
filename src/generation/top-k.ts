/**
 * Finds the `count` largest of `values[start … start + size)` and writes their offsets from `start` and their values,
 * largest first, equal values by lower offset, at `into` of the output arrays. One pass with a heap of `count` entries
 * whose root is the worst kept: O(size) for the few that a search wants.
 */
export function topK(
  values: Float32Array,
  start: number,
  size: number,
  count: number,
  ids: Int32Array,
  scores: Float32Array,
  into = 0,
): void {
  for (let offset = 0; offset < count; offset++) {
    ids[into + offset] = offset;
    scores[into + offset] = values[start + offset]!;
  }
  for (let root = (count >> 1) - 1; root >= 0; root--) siftDown(ids, scores, into, root, count);
  let worst = scores[into]!;
  for (let offset = count; offset < size; offset++) {
    const value = values[start + offset]!;
    if (value <= worst) continue;
    ids[into] = offset;
    scores[into] = value;
    siftDown(ids, scores, into, 0, count);
    worst = scores[into]!;
  }
  for (let end = count - 1; end > 0; end--) {
    swap(ids, scores, into, into + end);
    siftDown(ids, scores, into, 0, end);
  }
}

/** Restores the heap below `root`, where every parent is worse than its children. */
function siftDown(ids: Int32Array, scores: Float32Array, base: number, root: number, size: number): void {
  for (;;) {
    let worst = root;
    const left = 2 * root + 1;
    if (left < size && isWorse(ids, scores, base + left, base + worst)) worst = left;
    if (left + 1 < size && isWorse(ids, scores, base + left + 1, base + worst)) worst = left + 1;
    if (worst === root) return;
    swap(ids, scores, base + root, base + worst);
    root = worst;
  }
}

function isWorse(ids: Int32Array, scores: Float32Array, a: number, b: number): boolean {
  return scores[a]! < scores[b]! || (scores[a] === scores[b] && ids[a]! > ids[b]!);
}

function swap(ids: Int32Array, scores: Float32Array, a: number, b: number): void {
  const id = ids[a]!;
  ids[a] = ids[b]!;
  ids[b] = id;
  const score = scores[a]!;
  scores[a] = scores[b]!;
  scores[b] = score;
}
