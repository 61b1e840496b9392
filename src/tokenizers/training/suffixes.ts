/** Longest piece, in characters. */
export const LONGEST_PIECE = 16;

/** Distinct words as ids of characters, one after the other. Id 0: a character that no piece has. */
export interface IndexedWords {
  readonly text: Int32Array;
  /** Where each word begins, and the end of the last. */
  readonly starts: Int32Array;
  /** How often each word was met. */
  readonly counts: Float64Array;
}

/** A piece: `text[start, start + length)`, met so often. */
export type Visit = (start: number, length: number, count: number) => void;

/**
 * All substrings of at least two characters that were met at least twice and are as long as they can be without being
 * rarer: the inner nodes of a suffix tree (Abouelhoda et al., 2004), from a suffix array and its common prefixes. What lies
 * beyond {@link LONGEST_PIECE} characters makes no difference.
 */
export function visitRepeated(words: IndexedWords, visit: Visit): void {
  const { text } = words;
  const { runs, weights } = suffixesOf(words);
  const order = sortSuffixes(text, runs);
  const common = (i: number): number => commonPrefix(text, runs, order[i - 1]!, order[i]!);
  const report = (from: number, to: number, length: number, count: number): void => {
    if (length > 1 && count > 1 && to > from) visit(order[from]!, length, count);
  };

  // Open intervals of the suffix array: all suffixes from `left` on begin with the same `depth` characters.
  const open: { depth: number; left: number; count: number }[] = [];
  let before = 0;
  for (let i = 0; i < order.length; i++) {
    const after = i + 1 < order.length ? common(i + 1) : 0;
    let count = weights[order[i]!]!;
    let left = i;
    const whole = runs[order[i]!]!;
    if (whole > Math.max(before, after)) report(i, i + 1, whole, count);
    // The suffix is a part of the innermost interval; closing one adds it to the next.
    while (open.length > 0 && open.at(-1)!.depth > after) {
      const closed = open.pop()!;
      count += closed.count;
      left = closed.left;
      report(left, i + 1, closed.depth, count);
    }
    const innermost = open.at(-1);
    if (innermost?.depth === after) innermost.count += count;
    else if (after > 0) open.push({ depth: after, left, count });
    before = after;
  }
}

/** Of each place: characters to the end of what it begins, at most {@link LONGEST_PIECE}, and how often its word was met. */
function suffixesOf({ text, starts, counts }: IndexedWords): { runs: Int32Array; weights: Float64Array } {
  const runs = new Int32Array(text.length);
  const weights = new Float64Array(text.length);
  for (let word = 0; word < counts.length; word++) {
    let run = 0;
    for (let at = starts[word + 1]! - 1; at >= starts[word]!; at--) {
      run = text[at] === 0 ? 0 : Math.min(LONGEST_PIECE, run + 1);
      runs[at] = run;
      weights[at] = counts[word]!;
    }
  }
  return { runs, weights };
}

/** Places of the text in the order of what begins there, by doubling: pairs of ranks by `h` characters give those by `2h`. */
function sortSuffixes(text: Int32Array, runs: Int32Array): Int32Array {
  let order = new Int32Array(text.length);
  let used = 0;
  for (let at = 0; at < text.length; at++) if (runs[at]! > 0) order[used++] = at;
  order = order.subarray(0, used);
  let ranks = text;
  for (let h = 1; ; h *= 2) {
    const first = ranks;
    const second = (at: number): number => (runs[at]! > h ? first[at + h]! : 0);
    order = sortBy(order, second);
    order = sortBy(order, (at) => first[at]!);
    if (2 * h >= LONGEST_PIECE) return order;
    ranks = new Int32Array(text.length);
    let rank = 0;
    for (let i = 0; i < used; i++) {
      const [previous, at] = [order[i - 1] ?? -1, order[i]!];
      if (previous < 0 || first[previous] !== first[at] || second(previous) !== second(at)) rank++;
      ranks[at] = rank;
    }
  }
}

/** A stable counting sort by small keys. */
function sortBy(items: Int32Array, keyOf: (item: number) => number): Int32Array<ArrayBuffer> {
  let largest = 0;
  for (const item of items) largest = Math.max(largest, keyOf(item));
  const ends = new Int32Array(largest + 2);
  for (const item of items) ends[keyOf(item) + 1]!++;
  for (let key = 0; key <= largest; key++) ends[key + 1]! += ends[key]!;
  const sorted = new Int32Array(items.length);
  for (const item of items) sorted[ends[keyOf(item)]!++] = item;
  return sorted;
}

function commonPrefix(text: Int32Array, runs: Int32Array, a: number, b: number): number {
  const most = Math.min(runs[a]!, runs[b]!);
  let length = 0;
  while (length < most && text[a + length] === text[b + length]) length++;
  return length;
}
