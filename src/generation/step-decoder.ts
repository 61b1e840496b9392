/** The `count` best next tokens of every row: ids and log-probabilities `[rows, count]`, best first, ties by lower id. */
export interface BestTokens {
  ids: Int32Array;
  logProbs: Float32Array;
}

/**
 * What the search needs of a model: a decoder that walks one position at a time and holds its own cache.
 *
 * A row is one partial answer. Rows lie side by side by batch item: row = item * width + beam, where the width is
 * {@link rowsPerItem}. Arrays that a decoder returns are read before the next call and never kept.
 */
export interface StepDecoder {
  readonly vocabSize: number;
  /**
   * Takes the last token of every row and moves one position on. `parents[row]` is the row of the previous step that
   * this row continues, always one of the same batch item; in the first step each row is its own parent.
   */
  advance(tokens: Int32Array, parents: Int32Array): Promise<void>;
  /**
   * The cheap way: log-softmax and top-k inside the graph. `count` differs from step to step, up to `vocabSize`.
   * With `banned`, ids for each row, those have no probability, and the others share what they had.
   */
  candidates(count: number, banned?: readonly (readonly number[])[]): Promise<BestTokens>;
  /** All next-token logits `[rows, vocabSize]`, for processors that need them. The search overwrites the array. */
  logits(): Promise<Float32Array>;
}
