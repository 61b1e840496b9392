import {
  type EncodeLimits,
  type EncodeRun,
  type Row,
  type Tokenizers,
  type TokenRows,
  TokenTable,
} from '../data/index.js';
import { fail } from '../errors.js';
import type { Seq2SeqArchitecture } from '../models/index.js';

/** One row as token ids, special tokens included as the tokenizer puts them. */
export interface Example {
  readonly source: Int32Array;
  readonly target: Int32Array;
}

/** Tokenised rows. */
export class Examples {
  readonly #sources: TokenRows;
  readonly #targets: TokenRows;

  constructor(sources: TokenRows, targets: TokenRows) {
    this.#sources = sources;
    this.#targets = targets;
  }

  get length(): number {
    return this.#sources.length;
  }

  sourceLength(index: number): number {
    return this.#sources.lengthOf(index);
  }

  targetLength(index: number): number {
    return this.#targets.lengthOf(index);
  }

  at(index: number): Example {
    return { source: this.#sources.tokens(index), target: this.#targets.tokens(index) };
  }
}

export interface EncodedExamples {
  readonly examples: Examples;
  /** One line: how many rows, and how many were cut. */
  readonly report: string;
}

/** Tokenises rows. Longer texts are cut, and counted. */
export async function encodeExamples(
  rows: readonly Row[],
  tokenizers: Tokenizers,
  architecture: Seq2SeqArchitecture,
  limits: EncodeLimits,
  run?: EncodeRun,
): Promise<EncodedExamples> {
  if (rows.length === 0) fail('data', 'there are no rows. Give at least one, with input_text and target_text.');
  const { sources, targets, cutSources, cutTargets } = await TokenTable.encode(rows, tokenizers, limits, run);
  checkLengths(sources, 'source', architecture.maxSourceLength, 'maxSeqLength');
  checkLengths(targets, 'target', architecture.maxTargetLength, 'maxTargetLength');
  const report =
    `${rows.length} rows; ${cutSources} sources are cut at ${limits.maxSourceLength} tokens ` +
    `and ${cutTargets} targets at ${limits.maxTargetLength}.`;
  return { examples: new Examples(sources, targets), report };
}

function checkLengths(table: TokenRows, side: string, positions: number, option: string): void {
  for (let row = 0; row < table.length; row++) {
    const length = table.lengthOf(row);
    if (length === 0) fail('data', `the ${side} of row ${row + 1} has no tokens. Remove the row.`);
    if (length > positions) {
      fail(
        'data',
        `the ${side} of row ${row + 1} has ${length} tokens, but the model has ${positions} positions. ` +
          `Lower ${option} to ${positions}.`,
      );
    }
  }
}
