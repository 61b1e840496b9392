import type { History } from './history.js';
import type { NextTokens } from './next-tokens.js';
import type { GenerationOptions } from './options.js';

/** One answer, as `generate` returns it. */
export interface Sequence {
  /** The start token, then everything generated, the end token included. */
  readonly ids: Int32Array;
  /** Of beam search: log-probability / generated length ** lengthPenalty. */
  readonly score: number | undefined;
  /** Whether it came to an end token by itself; otherwise `maxLength` cut it, or forced one there. */
  readonly finished: boolean;
}

/** Neighbouring rows that are searched together, apart from all others: one answer, or the beams of a batch item. */
export interface RowGroup {
  /** Whether further steps would change no answer. */
  readonly isDone: boolean;
  /**
   * Chooses how its rows go on, the first of which is `firstRow` now: writes the next token of each and the row that
   * it continues. `length` is that of every sequence so far.
   */
  step(next: NextTokens, firstRow: number, length: number, tokens: Int32Array, parents: Int32Array): void;
  /** Its answers, best first; `firstRow` is where its rows stood in the last step. */
  answers(history: History, firstRow: number): Sequence[];
}

/** Whether a sequence that ends with an end token was free to go on. */
export function endedFreely(length: number, { forcedEosTokenId, maxLength }: GenerationOptions): boolean {
  return forcedEosTokenId.length === 0 || length < maxLength;
}
