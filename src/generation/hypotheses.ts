import { lengthPenalised } from './row-group.js';

/** A sequence that a beam has finished or was cut at: where it stands in the history, and its length-penalised score. */
export interface Hypothesis {
  readonly score: number;
  /** Tokens of it that stand in the history, and the row in which they end. */
  readonly length: number;
  readonly row: number;
  /** The score of the end token behind it; undefined where it was cut. */
  readonly endScore: number | undefined;
}

interface HypothesesOptions {
  readonly numBeams: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | 'never';
  readonly maxLength: number;
  readonly prefixIds: readonly number[];
}

/**
 * The best `numBeams` hypotheses of one batch item, scored `sumLogProbs / generated ** lengthPenalty`, where
 * `generated` counts the tokens behind start token and prefix, the end token included.
 */
export class Hypotheses {
  /** In the order of their arrival, which decides between equal scores. */
  private readonly kept: Hypothesis[] = [];
  private worst = Infinity;

  constructor(private readonly options: HypothesesOptions) {}

  add(sumLogProbs: number, generated: number, place: Omit<Hypothesis, 'score'>): void {
    const { numBeams } = this.options;
    const score = lengthPenalised(sumLogProbs, generated, this.options.lengthPenalty);
    if (this.kept.length === numBeams && !(score > this.worst)) return;
    this.kept.push({ ...place, score });
    if (this.kept.length > numBeams) {
      const worst = this.kept.reduce((low, entry, index) => (entry.score < this.kept[low]!.score ? index : low), 0);
      this.kept.splice(worst, 1);
    }
    this.worst = Math.min(...this.kept.map((entry) => entry.score));
  }

  /**
   * Whether no open beam can still win. With `earlyStopping` true it is enough to be full. Otherwise the best open sum
   * is judged at the length where it would score highest: false takes the present length (a heuristic, too pessimistic
   * for positive penalties), `'never'` the longest possible one when the penalty is positive.
   */
  isDone(bestSum: number, generated: number): boolean {
    const { numBeams, earlyStopping, lengthPenalty, maxLength, prefixIds } = this.options;
    if (this.kept.length < numBeams) return false;
    if (earlyStopping === true) return true;
    const length = earlyStopping === 'never' && lengthPenalty > 0 ? maxLength - 1 - prefixIds.length : generated;
    return this.worst >= lengthPenalised(bestSum, length, lengthPenalty);
  }

  /** Best first; of equal scores the one that came later. */
  best(): Hypothesis[] {
    return this.kept.toReversed().sort((a, b) => b.score - a.score);
  }
}
