export { readLines } from './lines.js';
export { Random, shuffledIndices } from './random.js';
export { type ReadOptions, type Row, type RowInput, readTable, rowsFrom } from './rows.js';
export {
  type EncodedRows,
  type EncodeLimits,
  type EncodeRun,
  type Tokenizers,
  type TokenRows,
  TokenTable,
} from './token-table.js';
