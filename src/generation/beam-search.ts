import type { Random } from '../data/index.js';
import type { Continuation, History } from './history.js';
import { Hypotheses } from './hypotheses.js';
import type { NextTokens } from './next-tokens.js';
import type { GenerationOptions } from './options.js';
import { endedFreely, type RowGroup, type Sequence } from './row-group.js';
import type { Select } from './selection.js';

/**
 * Candidates that beam search chooses each step. A beam offers at most every end token, so that with as many
 * others as beams are wanted, all beams can go on.
 */
export function candidatesPerStep({ numBeams, eosTokenId }: GenerationOptions): number {
  return Math.max(2, 1 + eosTokenId.length) * numBeams;
}

/** Beams that are searched together: all of an item, or a group of them. With a drawing selection, beam sampling. */
export class BeamSearch implements RowGroup {
  isDone = false;
  private readonly hypotheses: Hypotheses;
  /** Log-probability of each beam. All beams start alike, and only the first counts. */
  private readonly sums: Float32Array;

  constructor(
    /** `numBeams` are those of this search. */
    private readonly options: GenerationOptions,
    private readonly select: Select,
    private readonly random: Random,
    private readonly base: number,
  ) {
    this.hypotheses = new Hypotheses(options);
    this.sums = new Float32Array(options.numBeams).fill(-1e9, 1);
  }

  step(next: NextTokens, firstRow: number, length: number, { tokens, parents, scores }: Continuation): void {
    const { options, base } = this;
    const { numBeams, eosTokenId, prefixIds } = options;
    const picks = this.select(next, firstRow, this.sums, this.random);
    let beam = 0;
    for (let rank = 0; rank < picks.size && beam < numBeams; rank++) {
      const token = picks.tokens[rank]!;
      const row = base + picks.rows[rank]! - firstRow;
      const sum = picks.sums[rank]!;
      const score = picks.scores[rank]!;
      if (!eosTokenId.includes(token)) {
        tokens[base + beam] = token;
        parents[base + beam] = row;
        scores[base + beam] = score;
        this.sums[beam++] = sum;
      } else if (rank < numBeams) {
        // An end that is not among the best numBeams candidates is no hypothesis.
        this.hypotheses.add(sum, length - prefixIds.length, { length, row, endScore: score });
      }
    }
    // Where only end tokens were left to choose, beams go on dead.
    this.sums.fill(-Infinity, beam);
    tokens.fill(options.padTokenId, base + beam, base + numBeams);
    parents.fill(base, base + beam, base + numBeams);
    this.isDone = this.hypotheses.isDone(picks.size > 0 ? picks.sums[0]! : -Infinity, length - prefixIds.length);
  }

  answers(history: History): Sequence[] {
    const { length } = history;
    if (!this.isDone) {
      for (let beam = 0; beam < this.options.numBeams; beam++) {
        this.hypotheses.add(this.sums[beam]!, length - 1 - this.options.prefixIds.length, {
          length,
          row: this.base + beam,
          endScore: undefined,
        });
      }
    }
    return this.hypotheses.best().map(({ score, length, row, endScore }) => {
      const isEnded = endScore !== undefined;
      const ids = new Int32Array(isEnded ? length + 1 : length);
      const tokenScores = new Float32Array(ids.length - 1);
      history.read(row, length, ids, tokenScores);
      if (isEnded) {
        // As Transformers: whichever end token was chosen, the first one is written.
        ids[length] = this.options.eosTokenId[0]!;
        tokenScores[length - 1] = endScore;
      }
      const finished = isEnded && endedFreely(ids.length, this.options);
      return { ids, tokenScores, score: Math.fround(score), finished };
    });
  }
}
