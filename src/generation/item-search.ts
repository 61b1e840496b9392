import { Random } from '../data/index.js';
import { BeamSearch } from './beam-search.js';
import { type Continuation, History } from './history.js';
import type { NextTokens } from './next-tokens.js';
import type { GenerationOptions } from './options.js';
import type { RowGroup, Sequence } from './row-group.js';
import type { Select } from './selection.js';
import { SingleSearch } from './single-search.js';

/** Rows that a decoder has for each item. */
export function rowsPerItem({ numBeams, numReturnSequences }: GenerationOptions): number {
  return numBeams > 1 ? numBeams : numReturnSequences;
}

/** The search for the answers to one item: its beams, in one group or several, or one row for each answer. */
export class ItemSearch {
  readonly #options: GenerationOptions;
  readonly #groups: readonly RowGroup[];
  /** Rows of a group. */
  readonly #width: number;
  readonly #history: History;

  /** @param number names the item's random stream */
  constructor(options: GenerationOptions, select: Select, seed: number, number: number) {
    const { numBeams, decoderStartTokenId } = options;
    const rows = rowsPerItem(options);
    const width = groupWidth(options);
    const Group = numBeams > 1 ? BeamSearch : SingleSearch;
    const own = { ...options, numBeams: width };
    this.#options = options;
    this.#width = width;
    this.#groups = Array.from(
      { length: rows / width },
      (_, group) => new Group(own, select, new Random(seed, number, group), group * width),
    );
    this.#history = new History(rows, decoderStartTokenId);
  }

  /** Tokens of its sequences so far, the start token included. */
  get length(): number {
    return this.#history.length;
  }

  /** What the last step chose. */
  get last(): Continuation {
    return this.#history.last;
  }

  get isDone(): boolean {
    return this.length >= this.#options.maxLength || this.#groups.every((group) => group.isDone);
  }

  /** Whether a row of the item still goes on. */
  isOpen(row: number): boolean {
    return !this.#groups[Math.floor(row / this.#width)]!.isDone;
  }

  /** Writes the tokens of a row so far. */
  read(row: number, into: Int32Array): void {
    this.#history.read(row, this.length, into);
  }

  /** Chooses how its rows go on; `firstRow` is the first of them among the next tokens. */
  step(next: NextTokens, firstRow: number): void {
    const width = this.#width;
    const rows = this.#groups.length * width;
    const step = {
      tokens: new Int32Array(rows).fill(this.#options.padTokenId),
      parents: Int32Array.from({ length: rows }, (_, row) => row),
      scores: new Float32Array(rows),
    };
    for (const [index, group] of this.#groups.entries()) {
      if (group.isDone) continue;
      const first = index * width;
      for (let row = first; row < first + width; row++)
        next.diversify?.(firstRow + row, step.tokens.subarray(0, first));
      group.step(next, firstRow + first, this.length, step);
    }
    this.#history.push(step);
  }

  answers(): Sequence[] {
    const { numBeams, numReturnSequences } = this.#options;
    const found = this.#groups.map((group) => group.answers(this.#history));
    if (numBeams === 1) return found.flat();
    // As Transformers: of equal scores the one of the later group.
    return found
      .toReversed()
      .flat()
      .sort((a, b) => b.score! - a.score!)
      .slice(0, numReturnSequences);
  }
}

/** Rows that are searched together. */
function groupWidth({ numBeams, numBeamGroups }: GenerationOptions): number {
  return numBeams / numBeamGroups;
}
