/** What a step added to each row of an item: a token, the row it continues, and the token's score. */
export interface Continuation {
  readonly tokens: Int32Array;
  readonly parents: Int32Array;
  readonly scores: Float32Array;
}

/**
 * Every token that was ever chosen for an item, step by step, with the row each one continues. Rows are never copied when
 * beams branch: a sequence is read backwards along its parents, and a hypothesis is a (length, row) pair into this table.
 */
export class History {
  readonly #steps: Continuation[];

  constructor(rows: number, startToken: number) {
    this.#steps = [
      {
        tokens: new Int32Array(rows).fill(startToken),
        parents: Int32Array.from({ length: rows }, (_, row) => row),
        scores: new Float32Array(rows),
      },
    ];
  }

  /** Tokens in each row so far, the start token included. */
  get length(): number {
    return this.#steps.length;
  }

  get last(): Continuation {
    return this.#steps.at(-1)!;
  }

  /** Appends one step, which is kept. */
  push(step: Continuation): void {
    this.#steps.push(step);
  }

  /**
   * Writes the first `length` tokens of the sequence that stood in `row` when rows were `length` long, and the scores of
   * those behind the start token.
   */
  read(row: number, length: number, tokens: Int32Array, scores?: Float32Array): void {
    for (let at = length - 1; at >= 0; at--) {
      const step = this.#steps[at]!;
      tokens[at] = step.tokens[row]!;
      if (scores && at > 0) scores[at - 1] = step.scores[row]!;
      row = step.parents[row]!;
    }
  }
}
