import { fail } from '../errors.js';
import { CachedDecoder } from './decoder.js';
import type { GenerationOptions } from './options.js';
import type { GenerationPrograms } from './programs.js';
import type { Sequence } from './row-group.js';
import { rowsPerItem, search } from './search.js';

/**
 * The answers to sources of token ids, in their order, `numReturnSequences` each. Sources of like length are searched
 * together, since attention works on a rectangle; what a source gets does not depend on its batch.
 */
export async function generate(
  programs: GenerationPrograms,
  sources: readonly Int32Array[],
  options: GenerationOptions,
  {
    batchSize,
    signal,
    onProgress,
  }: { batchSize: number; signal?: AbortSignal | undefined; onProgress?: ((done: number) => void) | undefined },
): Promise<Sequence[][]> {
  const { maxSourceLength, maxTargetLength } = programs.architecture;
  // The last token is never fed back.
  if (options.maxLength - 1 > maxTargetLength) {
    fail(
      'predict',
      `maxLength is ${options.maxLength}, but the decoder has ${maxTargetLength} positions. Set at most ${maxTargetLength + 1}.`,
    );
  }
  for (const [i, source] of sources.entries()) {
    if (source.length === 0) fail('predict', `text ${i} has no tokens. Give it some text.`);
    if (source.length > maxSourceLength) {
      fail(
        'predict',
        `text ${i} has ${source.length} tokens, but the model has ${maxSourceLength} positions. Lower maxSeqLength to ${maxSourceLength}.`,
      );
    }
  }
  const byLength = sources.map((_, i) => i).sort((a, b) => sources[b]!.length - sources[a]!.length || a - b);
  const answers = new Array<Sequence[]>(sources.length);
  for (let start = 0; start < byLength.length; start += batchSize) {
    const items = byLength.slice(start, start + batchSize);
    const decoder = await CachedDecoder.create(
      programs,
      items.map((item) => sources[item]!),
      rowsPerItem(options),
    );
    try {
      const found = await search(decoder, items.length, options, { signal, itemNumbers: items });
      for (const [i, item] of items.entries()) answers[item] = found[i]!;
    } finally {
      decoder.dispose();
    }
    onProgress?.(Math.min(byLength.length, start + batchSize));
  }
  return answers;
}
