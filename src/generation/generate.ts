import { fail } from '../errors.js';
import { CachedDecoder, type DecoderShape } from './decoder.js';
import { rowsPerItem } from './item-search.js';
import { MarginalDecoder, type ReadDocuments } from './marginal-decoder.js';
import type { GenerationOptions } from './options.js';
import type { GenerationPrograms } from './programs.js';
import type { Sequence } from './row-group.js';
import { type SearchHooks, search } from './search.js';
import type { StepDecoder } from './step-decoder.js';

export interface GenerateSettings extends Pick<SearchHooks, 'signal' | 'tokenScores' | 'onAnswers' | 'onToken'> {
  /** Sources that are searched at once, at most. */
  readonly batchSize: number;
  /** Instead of `batchSize`: rows (sources times beams) times (longest source + maxLength); one source always fits. */
  readonly batchTokens?: number | undefined;
  /** A token that the encoder's attention does not see in sources, and the decoder's does. */
  readonly hiddenId?: number | undefined;
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
  settings: GenerateSettings,
): Promise<Sequence[][]> {
  checkLengths(programs, sources, options, (i) => ({ what: `text ${i}`, limit: 'maxSeqLength' }));
  return searchInOrder(
    sources,
    ({ length }) => length,
    options,
    settings,
    (inOrder, shape) => {
      return new CachedDecoder(programs, inOrder, { ...shape, hiddenId: settings.hiddenId });
    },
  );
}

/** As {@link generate}, each answer over all documents of a question at once. */
export async function generateOverDocuments(
  programs: GenerationPrograms,
  questions: readonly ReadDocuments[],
  options: GenerationOptions,
  settings: GenerateSettings,
): Promise<Sequence[][]> {
  const documents = questions[0]?.contexts.length ?? 1;
  checkLengths(
    programs,
    questions.flatMap(({ contexts }) => contexts),
    options,
    (i) => ({ what: `document ${i % documents} of text ${Math.floor(i / documents)}`, limit: 'max_combined_length' }),
  );
  const lengthOf = ({ contexts }: ReadDocuments) => contexts.reduce((total, { length }) => total + length, 0);
  // Each document takes as much room as a source of its own.
  const batchSize = Math.max(1, Math.floor(settings.batchSize / documents));
  return searchInOrder(questions, lengthOf, options, { ...settings, batchSize }, (inOrder, shape) => {
    return new MarginalDecoder(programs, inOrder, shape);
  });
}

function checkLengths(
  { architecture: { maxSourceLength, maxTargetLength } }: GenerationPrograms,
  sources: readonly Int32Array[],
  { maxLength }: GenerationOptions,
  name: (i: number) => { readonly what: string; readonly limit: string },
): void {
  // The last token is never fed back.
  if (maxLength - 1 > maxTargetLength) {
    fail(
      'predict',
      `maxLength is ${maxLength}, but the decoder has ${maxTargetLength} positions. Set at most ${maxTargetLength + 1}.`,
    );
  }
  for (const [i, source] of sources.entries()) {
    const { what, limit } = name(i);
    if (source.length === 0) fail('predict', `${what} has no tokens. Give it some text.`);
    if (source.length > maxSourceLength) {
      fail(
        'predict',
        `${what} has ${source.length} tokens, but the model has ${maxSourceLength} positions. Lower ${limit} to ${maxSourceLength}.`,
      );
    }
  }
}

async function searchInOrder<T>(
  sources: readonly T[],
  lengthOf: (source: T) => number,
  options: GenerationOptions,
  { batchSize, batchTokens, onProgress, onAnswers, onToken, firstNumber = 0, ...hooks }: GenerateSettings,
  open: (inOrder: readonly T[], shape: DecoderShape) => StepDecoder & { dispose(): void },
): Promise<Sequence[][]> {
  if (sources.length === 0) return [];
  const lengths = sources.map(lengthOf);
  const order = sources.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  const beams = rowsPerItem(options);
  const lengthsInOrder = order.map((source) => lengths[source]!);
  const { most, hasRoomFor } =
    batchTokens === undefined
      ? itemsRoom(batchSize)
      : tokensRoom(batchTokens, beams, options.maxLength, lengthsInOrder);
  const slots = Math.max(1, Math.min(sources.length, most));
  const inOrder = order.map((source) => sources[source]!);
  const decoder = open(inOrder, { beams, slots, positions: options.maxLength });
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

function tokensRoom(batchTokens: number, beams: number, maxLength: number, lengths: readonly number[]): Room {
  const most = (longest: number) => Math.floor(batchTokens / (beams * (longest + maxLength)));
  return {
    most: most(lengths.at(-1) ?? 1),
    hasRoomFor: (item, count, underWay) =>
      count < most(Math.max(...[item, ...underWay()].map((each) => lengths[each]!))),
  };
}
