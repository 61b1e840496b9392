/** Rows of texts from files and programs, rows of tokens, and random numbers that are the same everywhere. */
export type { ArrowTableLike } from './arrow.js';
export { readText } from './decode.js';
export { parseDelimited } from './delimited.js';
export {
  type EncodedRows,
  type EncodeLimits,
  type EncodeRun,
  encodeRows,
  isBlank,
  type Tokenizers,
} from './encode-rows.js';
export { readLines } from './lines.js';
export { Random, shuffledIndices } from './random.js';
export { allRows, type RowData, type RowSource, rowSource } from './row-source.js';
export type { ReadOptions, Row, RowInput } from './rows.js';
export { type TokenRows, TokenStore } from './token-store.js';
