import type { EncodedRows, TokenStore } from '../data/index.js';
import { fail } from '../errors.js';
import type { Seq2SeqArchitecture } from '../models/index.js';

/** One row as token ids, special tokens included as the tokenizer puts them. */
export interface Example {
  readonly source: Int32Array;
  readonly target: Int32Array;
}

/** Tokenised rows. */
export class Examples {
  readonly #store: TokenStore;
  readonly #rowNumber: (row: number) => number;

  /** @param rowNumber the place of a row in the data, where some were left out */
  constructor(store: TokenStore, rowNumber = (row: number) => row) {
    this.#store = store;
    this.#rowNumber = rowNumber;
  }

  get length(): number {
    return this.#store.sources.length;
  }

  sourceLength(row: number): number {
    return this.#store.sources.lengthOf(row);
  }

  targetLength(row: number): number {
    return this.#store.targets.lengthOf(row);
  }

  at(row: number): Example {
    return { source: this.#store.sources.tokens(row), target: this.#store.targets.tokens(row) };
  }

  /** As messages call it: its number in the data, from 1. */
  rowNumber(row: number): number {
    return this.#rowNumber(row) + 1;
  }
}

/** The rows as examples, if there are any and the model has a position for each of their tokens. */
export function examplesOf(encoded: EncodedRows, architecture: Seq2SeqArchitecture): Examples {
  const { store, blankSources, blankTargets } = encoded;
  const examples = new Examples(store, (row) => encoded.rowNumber(row));
  if (examples.length === 0) {
    const dropped = blankSources + blankTargets;
    fail(
      'data',
      dropped === 0
        ? 'there are no rows. Give at least one, with input_text and target_text.'
        : `none of the ${dropped} rows has both texts: ${blankSources} have a blank input_text, ${blankTargets} a blank target_text. Complete them.`,
    );
  }
  const sides = [
    { side: 'source', rows: store.sources, positions: architecture.maxSourceLength, option: 'maxSeqLength' },
    { side: 'target', rows: store.targets, positions: architecture.maxTargetLength, option: 'maxTargetLength' },
  ];
  for (const { side, rows, positions, option } of sides) {
    for (let row = 0; row < rows.length; row++) {
      const length = rows.lengthOf(row);
      if (length === 0) fail('data', `the ${side} of row ${examples.rowNumber(row)} has no tokens. Remove the row.`);
      if (length > positions) {
        fail(
          'data',
          `the ${side} of row ${examples.rowNumber(row)} has ${length} tokens, but the model has ${positions} positions. ` +
            `Lower ${option} to ${positions}.`,
        );
      }
    }
  }
  return examples;
}
