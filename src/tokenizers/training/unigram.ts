import { compareCodePoints } from './counts.js';
import { Lattice, type PieceModel, UNKNOWN } from './lattice.js';
import { PieceTrie } from './piece-trie.js';
import { isPiece } from './scripts.js';
import { type IndexedWords, visitRepeated } from './suffixes.js';

/** Most pieces to begin with. */
const MOST_SEEDS = 1_000_000;
/** Pieces left after each pruning, of those before. */
const SHRINKING = 0.75;
/** Pruning ends a little above the size asked for; then the best are taken. */
const ABOVE_SIZE = 1.1;
const SUB_ITERATIONS = 2;
/** Pieces expected to be used less often are dropped. */
const LEAST_EXPECTED = 0.5;
/** An unknown character's score below the least piece. */
const UNKNOWN_PENALTY = 10;
/** Characters that training dropped come back with scores that differ by this much. */
const RESTORED_STEP = 0.0001;

export interface ScoredPiece {
  readonly piece: string;
  readonly score: number;
}

/** Pieces as places of the text where they stand, and their log-probabilities. */
interface Pieces {
  readonly starts: Int32Array;
  readonly lengths: Int32Array;
  readonly scores: Float64Array;
}

/**
 * SentencePiece's unigram language model (Kudo, 2018): begins with frequent substrings, then in turn fits their
 * probabilities by expectation maximisation and drops those without which the words would lose least.
 *
 * @param characters by id, most frequent first; all of them are pieces at the end
 * @param vocabSize with the `reserved` pieces that are none of the model's
 * @returns best first; fewer than asked for if there are not as many
 */
export function trainUnigram(
  words: IndexedWords,
  characters: readonly string[],
  vocabSize: number,
  reserved: number,
): ScoredPiece[] {
  const size = Math.floor(vocabSize * ABOVE_SIZE);
  let pieces = seeds(words, characters);
  for (;;) {
    let trie = trieOf(words, pieces);
    for (let i = 0; i < SUB_ITERATIONS; i++) {
      const expected = expectedCounts(words, modelOf(pieces, trie));
      pieces = maximise(pieces, expected);
      trie = trieOf(words, pieces);
    }
    if (pieces.scores.length <= size) break;
    pieces = prune(words, pieces, modelOf(pieces, trie), size);
  }
  return finalPieces(words, characters, pieces, vocabSize - reserved);
}

/** Each character, and substrings, by the characters that all occurrences of each have together. */
function seeds({ text, starts, counts }: IndexedWords, characters: readonly string[]): Pieces {
  const points = characters.map((character) => character.codePointAt(0) ?? 0);
  const found: { start: number; length: number; weight: number }[] = [];
  visitRepeated({ text, starts, counts }, (start, length, count) => {
    const valid = isPiece(Array.from(text.subarray(start, start + length), (id) => points[id]!));
    if (valid) found.push({ start, length, weight: count * length });
  });
  found.sort((a, b) => b.weight - a.weight || a.start - b.start || a.length - b.length);

  const single = characters.map((_, id) => ({ start: -1, length: 1, weight: 0, id }));
  for (let word = 0; word < counts.length; word++) {
    for (let at = starts[word]!; at < starts[word + 1]!; at++) {
      const entry = single[text[at]!]!;
      entry.start = at;
      entry.weight += counts[word]!;
    }
  }
  const all = [...single.slice(1), ...found.slice(0, MOST_SEEDS)];
  const total = all.reduce((sum, { weight }) => sum + weight, 0);
  return {
    starts: Int32Array.from(all, ({ start }) => start),
    lengths: Int32Array.from(all, ({ length }) => length),
    scores: Float64Array.from(all, ({ weight }) => Math.log(weight / total)),
  };
}

function trieOf({ text }: IndexedWords, { starts, lengths }: Pieces): PieceTrie {
  return new PieceTrie(text, starts, lengths);
}

function modelOf({ scores }: Pieces, trie: PieceTrie): PieceModel {
  const least = scores.reduce((low, score) => Math.min(low, score), 0);
  return { trie, scores, unknownScore: least - UNKNOWN_PENALTY };
}

function expectedCounts({ text, starts, counts }: IndexedWords, model: PieceModel): Float64Array {
  const expected = new Float64Array(model.scores.length);
  const lattice = new Lattice();
  for (let word = 0; word < counts.length; word++) {
    lattice.read(model, text, starts[word]!, starts[word + 1]!);
    lattice.addExpected(expected, counts[word]!);
  }
  return expected;
}

/** `exp(digamma(c)) / exp(digamma(Σ c))` in place of `c / Σ c`: a prior that makes rare pieces rarer (Liang and Klein, 2007). */
function maximise(pieces: Pieces, expected: Float64Array): Pieces {
  const kept = select(
    pieces,
    [...expected.keys()].filter((id) => expected[id]! >= LEAST_EXPECTED),
  );
  const counts = expected.filter((count) => count >= LEAST_EXPECTED);
  const total = digamma(counts.reduce((sum, count) => sum + count, 0));
  return { ...kept, scores: counts.map((count) => digamma(count) - total) };
}

/** The logarithmic derivative of the gamma function: recurrence up to 7, then its asymptotic series in `1 / (x - ½)²`. */
function digamma(count: number): number {
  let x = count;
  let result = 0;
  for (; x < 7; x++) result -= 1 / x;
  x -= 0.5;
  const square = 1 / (x * x);
  const series = square * (1 / 24 - square * (7 / 960 - square * (31 / 8064 - square * (127 / 30720))));
  return result + Math.log(x) + series;
}

/**
 * Keeps the pieces whose loss would cost most. Without a piece its `f` occurrences of `n` would become those of its second
 * best segmentation, of `k` pieces, so that the log-likelihood of a word sinks on average by
 * `f / words · (log(f / n) - Σ log((fⱼ + f) / (n + f (k - 1))))`.
 */
function prune(words: IndexedWords, pieces: Pieces, model: PieceModel, least: number): Pieces {
  const { text, starts, counts } = words;
  const lattice = new Lattice();
  const path: number[] = [];
  const frequencies = new Float64Array(pieces.scores.length);
  for (let word = 0; word < counts.length; word++) {
    lattice.read(model, text, starts[word]!, starts[word + 1]!);
    lattice.best(path);
    for (const id of path) if (id !== UNKNOWN) frequencies[id]! += counts[word]!;
  }
  const total = frequencies.reduce((sum, count) => sum + count, 0);

  const kept: number[] = [];
  const candidates: { id: number; loss: number }[] = [];
  for (const [id, frequency] of frequencies.entries()) {
    if (frequency === 0) continue;
    const [start, length] = [pieces.starts[id]!, pieces.lengths[id]!];
    if (length === 1) {
      kept.push(id);
      continue;
    }
    lattice.read(model, text, start, start + length);
    // A piece that is cut even where it could be used whole is of no use.
    if (lattice.best(path, true) >= pieces.scores[id]!) continue;
    const totalWithout = Math.log(total + frequency * (path.length - 1));
    const without = path.reduce(
      (sum, other) => sum + Math.log((other === UNKNOWN ? 0 : frequencies[other]!) + frequency) - totalWithout,
      0,
    );
    candidates.push({ id, loss: frequency * (Math.log(frequency / total) - without) });
  }
  candidates.sort((a, b) => b.loss - a.loss || a.id - b.id);
  const target = Math.max(least, Math.floor(SHRINKING * pieces.scores.length));
  const chosen = candidates.slice(0, Math.max(0, target - kept.length)).map(({ id }) => id);
  return select(pieces, [...kept, ...chosen]);
}

function select({ starts, lengths, scores }: Pieces, ids: readonly number[]): Pieces {
  return {
    starts: Int32Array.from(ids, (id) => starts[id]!),
    lengths: Int32Array.from(ids, (id) => lengths[id]!),
    scores: Float64Array.from(ids, (id) => scores[id]!),
  };
}

/** All characters, and of the other pieces the most probable. */
function finalPieces(
  { text }: IndexedWords,
  characters: readonly string[],
  { starts, lengths, scores }: Pieces,
  size: number,
): ScoredPiece[] {
  const trained = Array.from(scores, (score, id) => {
    const ids = text.subarray(starts[id]!, starts[id]! + lengths[id]!);
    return { piece: Array.from(ids, (character) => characters[character]!).join(''), score };
  }).sort(byScore);
  const scoreOf = new Map(trained.map(({ piece, score }) => [piece, score]));
  const least = trained.at(-1)?.score ?? 0;
  let restored = 0;
  const singles = characters.slice(1).map((piece) => ({
    piece,
    score: scoreOf.get(piece) ?? least + RESTORED_STEP * restored++,
  }));
  const required = new Set(characters);
  const others = trained.filter(({ piece }) => !required.has(piece)).slice(0, Math.max(0, size - singles.length));
  return [...singles, ...others].sort(byScore);
}

function byScore(a: ScoredPiece, b: ScoredPiece): number {
  return b.score - a.score || compareCodePoints(a.piece, b.piece);
}
