import { createHash } from 'node:crypto';
import path from 'node:path';
import type { EncodeOptions, EncodingThreads, PackedTokens, Tokenizer } from '../tokenizers/index.js';
import type { RowSource } from './row-source.js';
import type { Row } from './rows.js';
import { openTokenFile, type TokenFile, TokenWriter } from './token-file.js';
import type { TokenStore } from './token-store.js';

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

export interface EncodeRun {
  /** How texts are spread over worker threads, and what stops them. */
  readonly threads?: EncodingThreads | undefined;
  /** A directory for token files, and whether one there may be used and a new one be left there. */
  readonly cache?: { readonly directory: string; readonly read: boolean; readonly write: boolean } | undefined;
  /** Hears of rows that are done. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** Rows as tokens, and what became of their texts. */
export interface EncodedRows {
  readonly store: TokenStore;
  /** Texts longer than the limit. */
  readonly cutSources: number;
  readonly cutTargets: number;
  /** Rows left out because nothing but space is in their source, or in their target. */
  readonly blankSources: number;
  readonly blankTargets: number;
  /** SHA-256 of all tokens. */
  readonly fingerprint: string;
  /** The token file that was used or written. */
  readonly cache?: { readonly file: string; readonly wasThere: boolean } | undefined;
  /** The number in the data of a row that was kept, both counted from 0. */
  rowNumber(row: number): number;
}

/** Rows are read and tokenised so many at a time, or so many characters: enough to be worth threads, little to hold. */
const BLOCK_ROWS = 250_000;
const BLOCK_CHARACTERS = 24_000_000;

/** Whether there is nothing to learn from a row. */
export function isBlank({ inputText, targetText }: Row): boolean {
  return inputText.trim() === '' || targetText.trim() === '';
}

/** Tokenises rows into a store, or opens the one of an earlier time, if neither data nor tokenizers nor limits changed. */
export async function encodeRows(
  source: RowSource,
  tokenizers: Tokenizers,
  limits: EncodeLimits,
  { threads, cache, onProgress }: EncodeRun = {},
): Promise<EncodedRows> {
  const uses = cache && (cache.read || cache.write) ? await source.fingerprint() : undefined;
  const file = cache && uses && path.join(cache.directory, `tokens-${keyOf(uses, tokenizers, limits)}.bin`);
  const cached = file && cache.read ? openTokenFile(file) : undefined;
  if (cached) return toEncoded(cached, { file: file!, wasThere: true });

  const most = Math.max(
    tokenizers.source.vocabSize,
    tokenizers.target.vocabSize,
    tokenizers.target.targetVocabSize ?? 0,
  );
  const written = cache?.write ? file : undefined;
  const writer = new TokenWriter(most <= 2 ** 16 ? 2 : 4, written);
  const counts = { cutSources: 0, cutTargets: 0, blankSources: 0, blankTargets: 0 };
  const { sourceLanguage, targetLanguage } = limits;
  const sides = [
    { tokenizer: tokenizers.source, options: { maxLength: limits.maxSourceLength, language: sourceLanguage } },
    {
      tokenizer: tokenizers.target,
      options: { maxLength: limits.maxTargetLength, language: targetLanguage, target: true },
    },
  ] as const;
  try {
    let [number, done] = [0, 0];
    for await (const block of blocksOf(source, threads?.signal)) {
      const kept = block.filter((row) => {
        const isDropped = isBlank(row);
        if (isDropped) {
          counts[row.inputText.trim() === '' ? 'blankSources' : 'blankTargets']++;
          writer.drop(number);
        }
        number++;
        return !isDropped;
      });
      const before = done;
      const report = (half: number) => (texts: number) =>
        onProgress?.(before + Math.floor((half * kept.length + texts) / 2));
      const sources = await encodeSide(
        kept.map((row) => row.inputText),
        sides[0],
        threads,
        report(0),
      );
      const targets = await encodeSide(
        kept.map((row) => row.targetText),
        sides[1],
        threads,
        report(1),
      );
      counts.cutSources += sources.cut;
      counts.cutTargets += targets.cut;
      for (let row = 0; row < kept.length; row++) writer.add(sources.next(), targets.next());
      done += kept.length;
      await writer.flush();
    }
    const finished = await writer.finish(counts);
    return toEncoded(finished, written === undefined ? undefined : { file: written, wasThere: false });
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

function toEncoded({ store, summary, dropped }: TokenFile, cache: EncodedRows['cache']): EncodedRows {
  return { store, ...summary, cache, rowNumber: (row) => numberOf(row, dropped) };
}

/** The place that a kept row had before those in `dropped` were left out. */
function numberOf(row: number, dropped: Uint32Array): number {
  // Before dropped[i] lie dropped[i] − i rows that were kept.
  let [low, high] = [0, dropped.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (dropped[middle]! - middle <= row) low = middle + 1;
    else high = middle;
  }
  return row + low;
}

async function* blocksOf(source: RowSource, signal: AbortSignal | undefined): AsyncGenerator<Row[]> {
  let rows: Row[] = [];
  let characters = 0;
  for await (const row of source.read()) {
    rows.push(row);
    characters += row.inputText.length + row.targetText.length;
    if (rows.length < BLOCK_ROWS && characters < BLOCK_CHARACTERS) continue;
    signal?.throwIfAborted();
    yield rows;
    rows = [];
    characters = 0;
  }
  if (rows.length > 0) yield rows;
}

/** The texts of one side as tokens, to be taken one by one. */
async function encodeSide(
  texts: readonly string[],
  { tokenizer, options }: { readonly tokenizer: Tokenizer; readonly options: EncodeOptions },
  threads: EncodingThreads | undefined,
  onProgress: (done: number) => void,
): Promise<{ cut: number; next(): Int32Array }> {
  const chunks: PackedTokens[] = [];
  let [cut, done] = [0, 0];
  for await (const chunk of tokenizer.encodeChunks(texts, options, threads)) {
    chunks.push(chunk);
    cut += chunk.cut;
    done += chunk.offsets.length - 1;
    onProgress(done);
  }
  let [chunk, row] = [0, 0];
  return {
    cut,
    next() {
      while (row === chunks[chunk]!.offsets.length - 1) [chunk, row] = [chunk + 1, 0];
      const { ids, offsets } = chunks[chunk]!;
      return ids.subarray(offsets[row], offsets[++row]);
    },
  };
}

/** Tells token files apart: whatever changes a token is in it. */
function keyOf(data: string, tokenizers: Tokenizers, limits: EncodeLimits): string {
  const hash = createHash('sha256').update('1\n');
  for (const tokenizer of new Set([tokenizers.source, tokenizers.target])) {
    hash.update(`${tokenizer.modelType}\n`);
    for (const [name, content] of tokenizer.files()) hash.update(`${name} ${content.length}\n`).update(content);
  }
  const { maxSourceLength, maxTargetLength, sourceLanguage, targetLanguage } = limits;
  hash.update(JSON.stringify([data, maxSourceLength, maxTargetLength, sourceLanguage, targetLanguage]));
  return hash.digest('hex').slice(0, 40);
}
