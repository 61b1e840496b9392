import { createHash } from 'node:crypto';
import type { Seq2SeqArgs } from './args/index.js';
import { type RowInput, rowsFrom } from './data/index.js';
import type { ModelParts } from './model-parts.js';
import { Progress } from './progress.js';
import { type Examples, encodeExamples } from './training/index.js';

/** Rows as a model sees them. */
export interface ModelRows {
  readonly examples: Examples;
  readonly fingerprint: string;
  readonly report: string;
  texts(): Promise<{ inputs: string[]; truths: string[] }>;
}

export type RowData = string | readonly RowInput[];

/** What rows are for: the options have caching and threads of each. */
export type Purpose = 'training' | 'evaluation';

/** Fewer rows than this are tokenised before a bar could be read. */
const LONG_TO_TOKENISE = 20_000;

/** Tokenises rows, or takes them from the cache where the options allow it. */
export async function prepareRows(
  data: RowData,
  purpose: Purpose,
  parts: ModelParts,
  args: Seq2SeqArgs,
  signal: AbortSignal | undefined,
): Promise<ModelRows> {
  const { maxSeqLength, maxTargetLength, srcLang, tgtLang, encoding, processCount: workers } = args;
  const rows = await rowsFrom(data, { encoding });
  const limits = {
    maxSourceLength: maxSeqLength,
    maxTargetLength: maxTargetLength ?? maxSeqLength,
    sourceLanguage: srcLang,
    targetLanguage: tgtLang,
  };
  const always = purpose === 'training' ? args.useMultiprocessing : args.useMultiprocessingForEvaluation;
  const chunk = args.multiprocessingChunksize > 0 ? args.multiprocessingChunksize : undefined;
  const progress = new Progress('Tokenising', rows.length, args.silent || rows.length < LONG_TO_TOKENISE);
  const { examples, report } = await encodeExamples(rows, parts.tokenizers, parts.architecture, limits, {
    threads: { workers, chunk, always, signal },
    onProgress: (done) => progress.update(done),
  });
  progress.finish();
  const hash = createHash('sha256');
  for (let i = 0; i < examples.length; i++) {
    const { source, target } = examples.at(i);
    hash.update(Int32Array.of(source.length, target.length)).update(source).update(target);
  }
  return {
    examples,
    report,
    fingerprint: hash.digest('hex'),
    texts: async () => ({
      inputs: rows.map((row) => row.inputText),
      truths: rows.map((row) => row.targetText),
    }),
  };
}
