import { shuffledIndices } from '../data/index.js';

/** How long rows are, without their tokens. */
export interface RowLengths {
  readonly length: number;
  sourceLength(row: number): number;
  targetLength(row: number): number;
}

/** Rows of a batch, or its tokens: those of sources and targets together, without padding; a longer row is a batch alone. */
export type BatchSize = { readonly batchSize: number } | { readonly batchTokens: number };

/** The batches of one epoch, in their order. */
export interface BatchPlan {
  readonly count: number;
  /** The rows of a batch, as a view. */
  at(batch: number): Uint32Array;
}

/**
 * So many batches are made of rows that were sorted together: enough for like lengths, few enough that rows meet others in
 * the next epoch, of small sets as well.
 */
const windowOf = (batches: number) => Math.min(64, Math.ceil(Math.sqrt(batches)));
/** Of the random numbers of an epoch: those that order its batches, apart from those that order its rows. */
const BATCH_STREAM = 1;

/**
 * Batches of rows of like length, so that little is padded. Rows are shuffled; within windows of many batches they are sorted
 * by length and cut; then all batches of the epoch are shuffled, so that neither a row's place in the epoch nor its company
 * from epoch to epoch depends on its length alone. A function of seed and epoch.
 */
export function planBatches(
  rows: RowLengths,
  size: BatchSize,
  { seed, epoch }: { readonly seed: number; readonly epoch: number },
): BatchPlan {
  const order = shuffledIndices(rows.length, seed, epoch);
  const starts =
    'batchSize' in size ? cutByRows(order, rows, size.batchSize) : cutByTokens(order, rows, size.batchTokens);
  const shuffled = shuffledIndices(starts.length - 1, seed, epoch, BATCH_STREAM);
  return {
    count: shuffled.length,
    at: (batch) => order.subarray(starts[shuffled[batch]!], starts[shuffled[batch]! + 1]),
  };
}

/** Where batches begin, and the end. Rows that fill no batch are the last ones of the shuffled order, of any length. */
function cutByRows(order: Uint32Array, rows: RowLengths, batchSize: number): Uint32Array {
  const count = Math.ceil(order.length / batchSize);
  const whole = order.length - (order.length % batchSize);
  const windowRows = windowOf(count) * batchSize;
  for (let start = 0; start < whole; start += windowRows) {
    sortByLength(order.subarray(start, Math.min(whole, start + windowRows)), rows);
  }
  return Uint32Array.from({ length: count + 1 }, (_, i) => Math.min(order.length, i * batchSize));
}

/** As many rows to a batch as its tokens allow. What is left at the end of a window goes into the next. */
function cutByTokens(order: Uint32Array, rows: RowLengths, budget: number): Uint32Array {
  const tokens = (row: number) => rows.sourceLength(row) + rows.targetLength(row);
  let total = 0;
  for (const row of order) total += tokens(row);
  const batches = Math.max(1, total / budget);
  const windowRows = Math.ceil((windowOf(batches) * order.length) / batches);
  const starts = [0];
  for (let start = 0; start < order.length; ) {
    const end = Math.min(order.length, start + windowRows);
    sortByLength(order.subarray(start, end), rows);
    let filled = 0;
    let begin = start;
    for (let place = start; place < end; place++) {
      const length = tokens(order[place]!);
      if (place > begin && filled + length > budget) {
        starts.push(place);
        begin = place;
        filled = 0;
      }
      filled += length;
    }
    const isLast = end === order.length;
    // A window that made no batch whole is a batch as it is: it cannot grow for ever.
    start = isLast || begin === start ? end : begin;
    if (start === end) starts.push(end);
  }
  return Uint32Array.from(starts);
}

/**
 * Shortest first, by the longer side of each row, which leaves both sides less padding than the sum of them does; among
 * equals the order stays.
 */
function sortByLength(some: Uint32Array, rows: RowLengths): void {
  const before = some.slice();
  const length = (row: number) => Math.max(rows.sourceLength(row), rows.targetLength(row));
  const keys = Float64Array.from(some, (row, place) => length(row) * 2 ** 31 + place).sort();
  for (const [place, key] of keys.entries()) some[place] = before[key % 2 ** 31]!;
}
