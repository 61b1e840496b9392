import { fail } from '../errors.js';
import { CachedDecoder } from './decoder.js';
import { rowsPerItem } from './item-search.js';
import type { GenerationOptions } from './options.js';
import type { GenerationPrograms } from './programs.js';
import type { Sequence } from './row-group.js';
import { type SearchHooks, search } from './search.js';

export interface GenerateSettings extends Pick<SearchHooks, 'signal' | 'tokenScores' | 'onAnswers' | 'onToken'> {
  /** Sources that are searched at once, at most. */
  readonly batchSize: number;
  /** Instead of `batchSize`: rows (sources times beams) times (longest source + maxLength); one source always fits. */
  readonly batchTokens?: number | undefined;
  readonly onProgress?: ((done: number) => void) | undefined;
  /** The number of the first source among all that the caller has, which names the random streams. */
  readonly firstNumber?: number | undefined;
}

/**
 * The answers to sources of token ids, in their order, `numReturnSequences` each. Longer sources come first, so that those of
 * like length are searched together; what a source gets does not depend on others.
 */
export async function generate(
  programs: GenerationPrograms,
  sources: readonly Int32Array[],
  options: GenerationOptions,
  { batchSize, batchTokens, onProgress, onAnswers, onToken, firstNumber = 0, ...hooks }: GenerateSettings,
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
  const order = sources.map((_, i) => i).sort((a, b) => sources[b]!.length - sources[a]!.length || a - b);
  const inOrder = order.map((source) => sources[source]!);
  const beams = rowsPerItem(options);
  const { most, hasRoomFor } =
    batchTokens === undefined ? itemsRoom(batchSize) : tokensRoom(batchTokens, beams, options.maxLength, inOrder);
  const slots = Math.max(1, Math.min(sources.length, most));
  const decoder = new CachedDecoder(programs, inOrder, { beams, slots, positions: options.maxLength });
  let done = 0;
  try {
    const answers = await search(decoder, sources.length, options, {
      ...hooks,
      itemNumbers: order.map((source) => firstNumber + source),
      hasRoomFor,
      onAnswers: (item, found) => {
        onAnswers?.(order[item]!, found);
        onProgress?.(++done);
      },
      onToken: onToken && ((item, token) => onToken(order[item]!, token)),
    });
    const bySource = new Array<Sequence[]>(sources.length);
    for (const [item, source] of order.entries()) bySource[source] = answers[item]!;
    return bySource;
  } finally {
    decoder.dispose();
  }
}

/** How many items may be under way at once. */
interface Room {
  readonly most: number;
  readonly hasRoomFor: NonNullable<SearchHooks['hasRoomFor']>;
}

function itemsRoom(batchSize: number): Room {
  return { most: batchSize, hasRoomFor: (_, count) => count < batchSize };
}

function tokensRoom(batchTokens: number, beams: number, maxLength: number, sources: readonly Int32Array[]): Room {
  const most = (longest: number) => Math.floor(batchTokens / (beams * (longest + maxLength)));
  return {
    most: most(sources.at(-1)?.length ?? 1),
    hasRoomFor: (item, count, underWay) =>
      count < most(Math.max(...[item, ...underWay()].map((each) => sources[each]!.length))),
  };
}
