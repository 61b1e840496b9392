import type { Random } from '../data/index.js';
import { fail } from '../errors.js';
import type { Continuation, History } from './history.js';
import type { NextTokens } from './next-tokens.js';
import type { GenerationOptions } from './options.js';
import { endedFreely, lengthPenalised, type RowGroup, type Sequence } from './row-group.js';
import type { Select } from './selection.js';

/** One row alone: greedy search with a ranking selection, sampling with a drawing one. */
export class SingleSearch implements RowGroup {
  /** Tokens of its sequence, once it has an end. */
  #endedLength: number | undefined;
  /** Sums of log-probabilities play no part; selections add these zeros. */
  readonly #sums = new Float32Array(1);
  #isScored = false;

  constructor(
    private readonly options: GenerationOptions,
    private readonly select: Select,
    private readonly random: Random,
    private readonly base: number,
  ) {}

  get isDone(): boolean {
    return this.#endedLength !== undefined;
  }

  step(next: NextTokens, firstRow: number, length: number, step: Continuation): void {
    const picks = this.select(next, firstRow, this.#sums, this.random);
    if (picks.size === 0) {
      fail(
        'generation',
        `no token may follow ${length} tokens of row ${firstRow}: all ${next.count} are banned. ` +
          'Loosen badWordsIds, noRepeatNgramSize or minLength.',
      );
    }
    const token = picks.tokens[0]!;
    step.tokens[this.base] = token;
    step.parents[this.base] = this.base;
    step.scores[this.base] = picks.scores[0]! - (next.normalizers?.[firstRow] ?? 0);
    this.#isScored = next.normalizers !== undefined;
    if (this.options.eosTokenId.includes(token)) this.#endedLength = length + 1;
  }

  answers(history: History): Sequence[] {
    const { lengthPenalty, prefixIds } = this.options;
    const length = this.#endedLength ?? history.length;
    const ids = new Int32Array(length);
    const tokenScores = new Float32Array(this.#isScored ? length - 1 : 0);
    history.read(this.base, length, ids, tokenScores);
    const sum = tokenScores.reduce((a, b) => a + b, 0);
    return [
      {
        ids,
        tokenScores,
        score: this.#isScored ? lengthPenalised(sum, length - 1 - prefixIds.length, lengthPenalty) : undefined,
        finished: this.isDone && endedFreely(length, this.options),
      },
    ];
  }
}
