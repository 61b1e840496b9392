import type { Row } from '../data/index.js';
import { fail } from '../errors.js';
import type { Seq2SeqArchitecture } from '../models/index.js';
import type { Tokenizer } from '../tokenizers/index.js';
import type { Example } from './batch.js';

export interface EncodedExamples {
  readonly examples: readonly Example[];
  /** One line: how many rows, how long, how many were cut. */
  readonly report: string;
}

/** Rows tokenised at a time, so that the event loop gets its turns. */
const CHUNK = 4096;

/** Tokenises rows: sources, and targets as labels. Longer ones are cut, and counted. */
export async function encodeExamples(
  rows: readonly Row[],
  tokenizer: Tokenizer,
  architecture: Seq2SeqArchitecture,
  limits: { maxSourceLength: number; maxTargetLength: number },
): Promise<EncodedExamples> {
  const sides = {
    source: {
      text: (row: Row) => row.inputText,
      limit: limits.maxSourceLength,
      positions: architecture.maxSourceLength,
      option: 'maxSeqLength',
    },
    target: {
      text: (row: Row) => row.targetText,
      limit: limits.maxTargetLength,
      positions: architecture.maxTargetLength,
      option: 'maxTargetLength',
    },
  };
  const encoded: Record<keyof typeof sides, Int32Array[]> = { source: [], target: [] };
  const cut = { source: 0, target: 0 };
  for (const name of ['source', 'target'] as const) {
    const { text, limit, positions, option } = sides[name];
    for (let start = 0; start < rows.length; start += CHUNK) {
      const texts = rows.slice(start, start + CHUNK).map(text);
      const target = name === 'target';
      for (const [i, whole] of (await tokenizer.encodeBatch(texts, { target })).entries()) {
        const row = start + i + 1;
        const isCut = whole.length > limit;
        const ids = isCut ? tokenizer.encode(texts[i]!, { maxLength: limit, target }) : whole;
        if (isCut) cut[name]++;
        if (ids.length === 0) fail('data', `the ${name} of row ${row} has no tokens. Remove the row.`);
        if (ids.length > positions) {
          fail(
            'data',
            `the ${name} of row ${row} has ${ids.length} tokens, but the model has ${positions} positions. Lower ${option} to ${positions}.`,
          );
        }
        encoded[name].push(ids);
      }
    }
  }
  const examples = encoded.source.map((source, i) => ({ source, labels: encoded.target[i]! }));
  const report =
    `${rows.length} rows; ${cut.source} sources are cut at ${limits.maxSourceLength} tokens ` +
    `and ${cut.target} targets at ${limits.maxTargetLength}.`;
  return { examples, report };
}
