import { statSync } from 'node:fs';
import type { Seq2SeqArgs } from './args/index.js';
import {
  allRows,
  type EncodedRows,
  encodeRows,
  isBlank,
  type RowData,
  type RowSource,
  rowSource,
} from './data/index.js';
import type { ModelParts } from './model-parts.js';
import { Progress } from './progress.js';
import { type Examples, examplesOf } from './training/index.js';

/** Rows as a model sees them, and as texts. To be closed. */
export interface ModelRows {
  readonly examples: Examples;
  readonly encoded: EncodedRows;
  /** Read once, at the first call. */
  texts(): Promise<{ readonly inputs: string[]; readonly truths: string[] }>;
  close(): void;
}

/** What rows are for: the options tell of caching and threads for each. */
export type Purpose = 'training' | 'evaluation';

/** Fewer rows than this are tokenised before a bar could be read. */
const LONG_TO_TOKENISE = 20_000;

function isSmallFile(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) < 100 * LONG_TO_TOKENISE;
}

/** Tokenises rows, or takes their tokens from the cache where the options allow it. */
export async function prepareRows(
  data: RowData,
  purpose: Purpose,
  parts: ModelParts,
  args: Seq2SeqArgs,
  signal: AbortSignal | undefined,
): Promise<ModelRows> {
  const { maxSeqLength, maxTargetLength, srcLang, tgtLang, encoding, processCount: workers } = args;
  const given = rowSource(data, { encoding });
  // Texts are read again for metrics.
  const source = given.isLasting || purpose === 'training' ? given : rowSource(await allRows(given));
  const limits = {
    maxSourceLength: maxSeqLength,
    maxTargetLength: maxTargetLength ?? maxSeqLength,
    sourceLanguage: srcLang,
    targetLanguage: tgtLang,
  };
  const always = purpose === 'training' ? args.useMultiprocessing : args.useMultiprocessingForEvaluation;
  const chunk = args.multiprocessingChunksize > 0 ? args.multiprocessingChunksize : undefined;
  const isShort = typeof data === 'string' ? isSmallFile(data) : (source.length ?? 0) < LONG_TO_TOKENISE;
  const progress = new Progress('Tokenising', source.length, args.silent || isShort);
  const encoded = await encodeRows(source, parts.tokenizers, limits, {
    threads: { workers, chunk, always, signal },
    cache: cacheOf(purpose, args),
    onProgress: (done) => progress.update(done),
  });
  progress.finish();
  try {
    const examples = examplesOf(encoded, parts.architecture);
    let texts: ReturnType<typeof textsOf> | undefined;
    return {
      examples,
      encoded,
      texts: () => {
        texts ??= textsOf(source);
        return texts;
      },
      close: () => encoded.store.close(),
    };
  } catch (error) {
    encoded.store.close();
    throw error;
  }
}

/** When tokens of an earlier time are used and new ones left, as Simple Transformers decides it. */
function cacheOf(purpose: Purpose, args: Seq2SeqArgs): { directory: string; read: boolean; write: boolean } {
  const read = !args.reprocessInputData || (purpose === 'evaluation' && args.useCachedEvalFeatures);
  return { directory: args.datasetCacheDir ?? args.cacheDir, read: read && !args.noCache, write: !args.noCache };
}

/** The texts of the rows that have tokens: those with a blank side are left out. */
async function textsOf(source: RowSource): Promise<{ inputs: string[]; truths: string[] }> {
  const rows = (await allRows(source)).filter((row) => !isBlank(row));
  return { inputs: rows.map((row) => row.inputText), truths: rows.map((row) => row.targetText) };
}
