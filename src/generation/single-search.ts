import type { Random } from '../data/index.js';
import { fail } from '../errors.js';
import type { History } from './history.js';
import type { NextTokens } from './next-tokens.js';
import type { GenerationOptions } from './options.js';
import { endedFreely, type RowGroup, type Sequence } from './row-group.js';
import type { Select } from './selection.js';

/** One row alone: greedy search with a ranking selection, sampling with a drawing one. */
export class SingleSearch implements RowGroup {
  private ended: { readonly length: number; readonly row: number } | undefined;
  /** Sums of log-probabilities play no part; selections add these zeros. */
  private readonly sums = new Float32Array(1);

  constructor(
    private readonly options: GenerationOptions,
    private readonly select: Select,
    private readonly random: Random,
  ) {}

  get isDone(): boolean {
    return this.ended !== undefined;
  }

  step(next: NextTokens, firstRow: number, length: number, tokens: Int32Array, parents: Int32Array): void {
    const picks = this.select(next, firstRow, this.sums, this.random);
    if (picks.size === 0) {
      fail(
        'generation',
        `no token may follow ${length} tokens of row ${firstRow}: all ${next.count} are banned. ` +
          'Loosen badWordsIds, noRepeatNgramSize or minLength.',
      );
    }
    tokens[firstRow] = picks.tokens[0]!;
    parents[firstRow] = firstRow;
    if (this.options.eosTokenId.includes(tokens[firstRow]!)) this.ended = { length: length + 1, row: firstRow };
  }

  answers(history: History, firstRow: number): Sequence[] {
    const { length, row } = this.ended ?? { length: history.length, row: firstRow };
    const ids = new Int32Array(length);
    history.read(row, length, ids);
    return [{ ids, score: undefined, finished: this.isDone && endedFreely(length, this.options) }];
  }
}
