/**
 * Every token that was ever chosen, step by step, with the row each one continues. Rows are never copied when beams
 * branch: a sequence is read backwards along its parents, and a hypothesis is a (length, row) pair into this table.
 * Steps may differ in their number of rows.
 */
export class History {
  private readonly tokens: Int32Array[];
  private readonly parents: Int32Array[];

  constructor(rows: number, startToken: number) {
    this.tokens = [new Int32Array(rows).fill(startToken)];
    this.parents = [Int32Array.from({ length: rows }, (_, row) => row)];
  }

  /** Tokens in each row so far, the start token included. */
  get length(): number {
    return this.tokens.length;
  }

  get lastTokens(): Int32Array {
    return this.tokens.at(-1)!;
  }

  get lastParents(): Int32Array {
    return this.parents.at(-1)!;
  }

  /** Appends one step; the arrays are kept. */
  push(tokens: Int32Array, parents: Int32Array): void {
    this.tokens.push(tokens);
    this.parents.push(parents);
  }

  /** Writes the first `length` tokens of the sequence that stood in `row` when rows were `length` long. */
  read(row: number, length: number, into: Int32Array): void {
    for (let step = length - 1; step >= 0; step--) {
      into[step] = this.tokens[step]![row]!;
      row = this.parents[step]![row]!;
    }
  }
}
