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

/** The search for the answers to one item: its beams, or one row for each answer. */
export class ItemSearch {
  readonly #options: GenerationOptions;
  readonly #groups: readonly RowGroup[];
  readonly #history: History;

  /** @param number names the item's random stream */
  constructor(options: GenerationOptions, select: Select, seed: number, number: number) {
    const { numBeams, decoderStartTokenId } = options;
    const Group = numBeams > 1 ? BeamSearch : SingleSearch;
    this.#options = options;
    this.#groups = Array.from(
      { length: rowsPerItem(options) / numBeams },
      (_, answer) => new Group(options, select, new Random(seed, number, answer), answer * numBeams),
    );
    this.#history = new History(rowsPerItem(options), decoderStartTokenId);
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
    return !this.#groups[Math.floor(row / this.#options.numBeams)]!.isDone;
  }

  /** Writes the tokens of a row so far. */
  read(row: number, into: Int32Array): void {
    this.#history.read(row, this.length, into);
  }

  /** Chooses how its rows go on; `firstRow` is the first of them among the next tokens. */
  step(next: NextTokens, firstRow: number): void {
    const { numBeams, padTokenId } = this.#options;
    const rows = this.#groups.length * numBeams;
    const step = {
      tokens: new Int32Array(rows).fill(padTokenId),
      parents: Int32Array.from({ length: rows }, (_, row) => row),
      scores: new Float32Array(rows),
    };
    for (const [index, group] of this.#groups.entries()) {
      if (!group.isDone) group.step(next, firstRow + index * numBeams, this.length, step);
    }
    this.#history.push(step);
  }

  answers(): Sequence[] {
    return this.#groups.flatMap((group) => group.answers(this.#history));
  }
}
