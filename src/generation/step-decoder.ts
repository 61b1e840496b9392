/** The `count` best next tokens of every row: ids and log-probabilities `[rows, count]`, best first, ties by lower id. */
export interface BestTokens {
  ids: Int32Array;
  logProbs: Float32Array;
}

/**
 * What the search needs of a model: a decoder that walks its items one position at a time and holds its own cache.
 *
 * An item that is under way has a slot, and there its rows, each one partial answer: row = slot * width + beam, where the
 * width is {@link rowsPerItem}. Slots in use lie side by side from 0 on; their items may stand at different positions.
 * Arrays that a decoder returns are read before the next call and never kept.
 */
export interface StepDecoder {
  readonly vocabSize: number;
  /**
   * Puts the next waiting item at its first position into a slot: into one in use, whose item is given up, or into the
   * first one behind those.
   */
  start(slot: number): Promise<void>;
  /** Gives up the item of a slot. The item of the last slot in use takes its place. */
  drop(slot: number): void;
  /**
   * Takes the last token of every row and moves one position on. `parents[row]` is the beam, counted within the item,
   * whose sequence this row continues; in the first step of an item each row is its own parent.
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
