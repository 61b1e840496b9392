import type { Merge } from '../byte-pair-encoder.js';

/** A pair of tokens is one number, `left · 2²⁴ + right`. */
const BASE = 2 ** 24;

/** Words as tokens, to be merged: of word `i` the `lengths[i]` ids from `starts[i]` on, met `counts[i]` times. */
export interface SpelledWords {
  readonly symbols: Int32Array;
  readonly starts: Int32Array;
  readonly lengths: Int32Array;
  readonly counts: Float64Array;
}

export interface MergeOptions {
  /** Merge until there are so many tokens. */
  readonly vocabSize: number;
  /** Pairs that are met less often are not merged. */
  readonly minFrequency: number;
  /** The token that two make. */
  readonly join: (left: string, right: string) => string;
}

/** A pair, how often it was met when it was queued, and the words that have it, or had it, since then. */
interface Candidate {
  readonly left: number;
  readonly right: number;
  count: number;
  readonly words: number[];
}

/** Each distinct word by the ids of its parts; parts without an id are left out. */
export function spellWords(
  words: Iterable<[word: string, count: number]>,
  spell: (word: string) => readonly number[],
): SpelledWords {
  const symbols: number[] = [];
  const starts: number[] = [];
  const counts: number[] = [];
  for (const [word, count] of words) {
    starts.push(symbols.length);
    for (const id of spell(word)) symbols.push(id);
    counts.push(count);
  }
  const lengths = starts.map((start, i) => (starts[i + 1] ?? symbols.length) - start);
  return {
    symbols: Int32Array.from(symbols),
    starts: Int32Array.from(starts),
    lengths: Int32Array.from(lengths),
    counts: Float64Array.from(counts),
  };
}

/**
 * Byte pair encoding (Sennrich et al., 2016): the most frequent pair of neighbours becomes a token, again and again. Of
 * pairs met equally often the one goes first whose tokens have the lower ids, as in Hugging Face's trainers. `tokens`, by
 * id, grows by what is merged.
 */
export function learnMerges(words: SpelledWords, tokens: string[], options: MergeOptions): Merge[] {
  const { vocabSize, minFrequency, join } = options;
  const { symbols, starts, lengths, counts } = words;
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const pairCounts = new Map<number, number>();
  const queue = new CandidateQueue();
  let fresh = new Map<number, Candidate>();

  const change = (left: number, right: number, by: number, word: number): void => {
    const pair = left * BASE + right;
    pairCounts.set(pair, (pairCounts.get(pair) ?? 0) + by);
    if (by < 0) return;
    const candidate = fresh.get(pair);
    if (!candidate) fresh.set(pair, { left, right, count: 0, words: [word] });
    else if (candidate.words.at(-1) !== word) candidate.words.push(word);
  };
  const enqueue = (): void => {
    for (const [pair, candidate] of fresh) {
      candidate.count = pairCounts.get(pair)!;
      if (candidate.count > 0) queue.push(candidate);
    }
    fresh = new Map();
  };
  const merge = (word: number, left: number, right: number, joined: number): void => {
    const start = starts[word]!;
    const end = start + lengths[word]!;
    const count = counts[word]!;
    let to = start;
    for (let from = start; from < end; ) {
      if (symbols[from] !== left || from + 1 === end || symbols[from + 1] !== right) {
        symbols[to++] = symbols[from++]!;
        continue;
      }
      from += 2;
      if (to > start) {
        change(symbols[to - 1]!, left, -count, word);
        change(symbols[to - 1]!, joined, count, word);
      }
      if (from < end) {
        change(right, symbols[from]!, -count, word);
        change(joined, symbols[from]!, count, word);
      }
      symbols[to++] = joined;
    }
    lengths[word] = to - start;
  };

  for (let word = 0; word < starts.length; word++) {
    const end = starts[word]! + lengths[word]!;
    for (let i = starts[word]! + 1; i < end; i++) change(symbols[i - 1]!, symbols[i]!, counts[word]!, word);
  }
  enqueue();

  // A pair can be merged twice, when its tokens came about in another way in between; then the later rank counts.
  const merges = new Map<number, Merge>();
  while (tokens.length < vocabSize) {
    const best = queue.pop();
    if (!best) break;
    const pair = best.left * BASE + best.right;
    const count = pairCounts.get(pair)!;
    if (count !== best.count) {
      best.count = count;
      if (count > 0) queue.push(best);
      continue;
    }
    if (count < minFrequency) break;
    const [left, right] = [tokens[best.left]!, tokens[best.right]!];
    const token = join(left, right);
    let id = ids.get(token);
    if (id === undefined) {
      id = tokens.push(token) - 1;
      ids.set(token, id);
    }
    merges.delete(pair);
    merges.set(pair, [left, right]);
    for (const word of best.words) merge(word, best.left, best.right, id);
    enqueue();
  }
  return [...merges.values()];
}

/** A binary heap with the pair to merge next on top. */
class CandidateQueue {
  readonly #items: Candidate[] = [];

  push(item: Candidate): void {
    const items = this.#items;
    let at = items.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!goesBefore(item, items[parent]!)) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  pop(): Candidate | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && goesBefore(items[child + 1]!, items[child]!)) child++;
      if (!goesBefore(items[child]!, last)) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
    return top;
  }
}

function goesBefore(a: Candidate, b: Candidate): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.left !== b.left ? a.left < b.left : a.right < b.right;
}
