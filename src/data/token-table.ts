import type { EncodeOptions, Tokenizer } from '../tokenizers/index.js';
import type { Row } from './rows.js';

/** Token sequences by row, wherever they are kept. */
export interface TokenRows {
  readonly length: number;
  lengthOf(row: number): number;
  /** The row's tokens; a view, not to be written to. */
  tokens(row: number): Int32Array;
}

/** The two sides' tokenizers; the same for models that have one. */
export interface Tokenizers {
  readonly source: Tokenizer;
  readonly target: Tokenizer;
}

export interface EncodeLimits {
  /** Most tokens of a row, special ones included. */
  readonly maxSourceLength: number;
  readonly maxTargetLength: number;
  /** Language codes, for tokenizers that mark texts with them. */
  readonly sourceLanguage?: string | undefined;
  readonly targetLanguage?: string | undefined;
}

/** Rows as tokens, and what became of their texts. */
export interface EncodedRows {
  sources: TokenTable;
  targets: TokenTable;
  /** Texts longer than the limit. */
  cutSources: number;
  cutTargets: number;
  /** Texts that gave no tokens but the special ones. */
  emptySources: number;
  emptyTargets: number;
}

/** Rows tokenised between two reports of progress. */
const BATCH = 512;

/** Token sequences in one array, one behind the other: row i is ids[offsets[i] … offsets[i + 1]). */
export class TokenTable implements TokenRows {
  readonly ids: Int32Array;
  readonly offsets: Uint32Array;

  constructor(ids: Int32Array, offsets: Uint32Array) {
    this.ids = ids;
    this.offsets = offsets;
  }

  static async encode(
    rows: readonly Row[],
    tokenizers: Tokenizers,
    limits: EncodeLimits,
    onProgress?: (done: number) => void,
  ): Promise<EncodedRows> {
    const sources = new Side(tokenizers.source, limits.maxSourceLength, { language: limits.sourceLanguage });
    const targets = new Side(tokenizers.target, limits.maxTargetLength, {
      target: true,
      language: limits.targetLanguage,
    });
    for (let start = 0; start < rows.length; start += BATCH) {
      const batch = rows.slice(start, start + BATCH);
      await sources.add(batch.map((row) => row.inputText));
      await targets.add(batch.map((row) => row.targetText));
      onProgress?.(start + batch.length);
    }
    return {
      sources: TokenTable.pack(sources.sequences),
      targets: TokenTable.pack(targets.sequences),
      cutSources: sources.cut,
      cutTargets: targets.cut,
      emptySources: sources.empty,
      emptyTargets: targets.empty,
    };
  }

  static pack(sequences: readonly Int32Array[]): TokenTable {
    const offsets = new Uint32Array(sequences.length + 1);
    for (const [i, sequence] of sequences.entries()) offsets[i + 1] = offsets[i]! + sequence.length;
    const ids = new Int32Array(offsets.at(-1)!);
    for (const [i, sequence] of sequences.entries()) ids.set(sequence, offsets[i]!);
    return new TokenTable(ids, offsets);
  }

  get length(): number {
    return this.offsets.length - 1;
  }

  lengthOf(row: number): number {
    return this.offsets[row + 1]! - this.offsets[row]!;
  }

  tokens(row: number): Int32Array {
    return this.ids.subarray(this.offsets[row], this.offsets[row + 1]);
  }
}

/** The texts of one side on their way to tokens. */
class Side {
  readonly sequences: Int32Array[] = [];
  cut = 0;
  empty = 0;
  readonly #tokenizer: Tokenizer;
  readonly #limit: number;
  readonly #side: EncodeOptions;
  readonly #specialTokens: number;

  constructor(tokenizer: Tokenizer, limit: number, side: EncodeOptions) {
    this.#tokenizer = tokenizer;
    this.#limit = limit;
    this.#side = side;
    this.#specialTokens = tokenizer.encode('', side).length;
  }

  async add(texts: readonly string[]): Promise<void> {
    const side = this.#side;
    // One token more than fits tells whether a text is too long, without going on to its end.
    const encoded = await this.#tokenizer.encodeBatch(texts, { ...side, maxLength: this.#limit + 1 });
    for (const [i, ids] of encoded.entries()) {
      const isCut = ids.length > this.#limit;
      if (isCut) this.cut++;
      if (ids.length <= this.#specialTokens) this.empty++;
      this.sequences.push(isCut ? this.#tokenizer.encode(texts[i]!, { ...side, maxLength: this.#limit }) : ids);
    }
  }
}
