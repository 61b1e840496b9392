import type { Continuation, History } from './history.js';
import type { NextTokens } from './next-tokens.js';
import type { GenerationOptions } from './options.js';

/** One answer, as `generate` returns it. */
export interface Sequence {
  /** The start token, then everything generated, the end token included. */
  readonly ids: Int32Array;
  /**
   * Sum of `tokenScores` / generated tokens ** lengthPenalty, where those of a prefix count in neither. Undefined without beams, unless token scores are asked for.
   */
  readonly score: number | undefined;
  /**
   * For each token behind the start token its log-probability; where a processor changed scores, that among what it left,
   * with beams as it left them. Equal to Transformers' `compute_transition_scores`. Empty without beams, unless asked for.
   */
  readonly tokenScores: Float32Array;
  /** Whether it came to an end token by itself; otherwise `maxLength` cut it, or forced one there. */
  readonly finished: boolean;
}

/** Neighbouring rows of an item that are searched together, apart from its others: one answer, or the beams. */
export interface RowGroup {
  /** Whether further steps would change no answer. */
  readonly isDone: boolean;
  /**
   * Chooses how its rows go on, the first of which is `firstRow` among the next tokens and its `base` in the item:
   * writes into `step` the next token of each, the row of the item that it continues, and the token's score. `length` is
   * that of every sequence so far.
   */
  step(next: NextTokens, firstRow: number, length: number, step: Continuation): void;
  /** Its answers, best first. */
  answers(history: History): Sequence[];
}

/** Whether a sequence that ends with an end token was free to go on. */
export function endedFreely(length: number, { forcedEosTokenId, maxLength }: GenerationOptions): boolean {
  return forcedEosTokenId.length === 0 || length < maxLength;
}

/** log-probability / generated tokens ** lengthPenalty: positive penalties favour long answers. */
export function lengthPenalised(sum: number, generated: number, lengthPenalty: number): number {
  return sum / generated ** lengthPenalty;
}
