import { setImmediate } from 'node:timers/promises';
import type { EncodeOptions, EncodingThreads, PackedTokens, Tokenizer } from '../tokenizers/index.js';
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

export interface EncodeRun {
  /** How texts are spread over worker threads, and what stops them. */
  readonly threads?: EncodingThreads | undefined;
  /** Hears of rows that are done: of sources and targets, half the number of both. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

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
    { threads, onProgress }: EncodeRun = {},
  ): Promise<EncodedRows> {
    const { maxSourceLength, maxTargetLength, sourceLanguage, targetLanguage } = limits;
    let texts = 0;
    const report = (count: number) => {
      texts += count;
      onProgress?.(Math.floor(texts / 2));
    };
    const sources = await encodeSide(
      rows.map((row) => row.inputText),
      tokenizers.source,
      { maxLength: maxSourceLength, language: sourceLanguage },
      threads,
      report,
    );
    const targets = await encodeSide(
      rows.map((row) => row.targetText),
      tokenizers.target,
      { maxLength: maxTargetLength, language: targetLanguage, target: true },
      threads,
      report,
    );
    return {
      sources: sources.table,
      targets: targets.table,
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

  /** Of chunks of rows. Lets other work go on between them. */
  static async join(chunks: readonly PackedTokens[]): Promise<TokenTable> {
    const offsets = new Uint32Array(1 + chunks.reduce((rows, chunk) => rows + chunk.offsets.length - 1, 0));
    const ids = new Int32Array(chunks.reduce((tokens, chunk) => tokens + chunk.ids.length, 0));
    let row = 0;
    for (const chunk of chunks) {
      const before = offsets[row]!;
      ids.set(chunk.ids, before);
      for (let i = 1; i < chunk.offsets.length; i++) offsets[++row] = before + chunk.offsets[i]!;
      await setImmediate();
    }
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

/** The texts of one side as tokens. */
async function encodeSide(
  texts: readonly string[],
  tokenizer: Tokenizer,
  options: EncodeOptions,
  threads: EncodingThreads | undefined,
  onDone: (count: number) => void,
): Promise<{ table: TokenTable; cut: number; empty: number }> {
  const specialTokens = tokenizer.encode('', options).length;
  const chunks: PackedTokens[] = [];
  let cut = 0;
  let empty = 0;
  for await (const chunk of tokenizer.encodeChunks(texts, options, threads)) {
    const { offsets } = chunk;
    chunks.push(chunk);
    cut += chunk.cut;
    for (let i = 1; i < offsets.length; i++) if (offsets[i]! - offsets[i - 1]! <= specialTokens) empty++;
    onDone(offsets.length - 1);
  }
  return { table: await TokenTable.join(chunks), cut, empty };
}
