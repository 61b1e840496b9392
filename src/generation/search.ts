import { fail } from '../errors.js';
import { candidatesPerStep } from './beam-search.js';
import { ItemSearch, rowsPerItem } from './item-search.js';
import { NextTokenSource, type WaitingRows } from './next-tokens.js';
import { checkTokenIds, type GenerationOptions } from './options.js';
import type { Sequence } from './row-group.js';
import { draw, rank } from './selection.js';
import type { StepDecoder } from './step-decoder.js';

export interface SearchHooks {
  /** Ends the search between two steps, with the signal's reason as the error. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The number of each item among all that the caller searches, which names its random stream: so an item is sampled
   * alike whatever batch it falls in. Left out: 0, 1, 2, …
   */
  readonly itemNumbers?: readonly number[] | undefined;
  /** Whether an item may join the `count` that are under way. Left out: all are searched at once. */
  readonly hasRoomFor?: ((item: number, count: number, underWay: () => readonly number[]) => boolean) | undefined;
  /** Whether scores of tokens are wanted where they are not had for free. */
  readonly tokenScores?: boolean | undefined;
  /** Hears of an item's answers as soon as they are known. */
  readonly onAnswers?: ((item: number, answers: Sequence[]) => void) | undefined;
  /** Hears the token that a step added to an item's first row. */
  readonly onToken?: ((item: number, token: number) => void) | undefined;
}

/** An item under way; its place among the others is its slot. */
interface UnderWay {
  readonly item: number;
  readonly search: ItemSearch;
}

/**
 * Generates from a decoder whose `items` wait for their first position, as Transformers' `generate` does: greedy search,
 * beam search, sampling, or sampling with beams. An item that has its answers leaves at once, and a waiting one takes its
 * slot. Answers come back by item, `numReturnSequences` each, best first.
 */
export async function search(
  decoder: StepDecoder,
  items: number,
  options: GenerationOptions,
  {
    signal,
    itemNumbers = Array.from({ length: items }, (_, item) => item),
    hasRoomFor = () => true,
    tokenScores = false,
    onAnswers,
    onToken,
  }: SearchHooks = {},
): Promise<Sequence[][]> {
  checkTokenIds(options, decoder.vocabSize);
  if (itemNumbers.length !== items) {
    fail('generation', `${itemNumbers.length} item numbers came with ${items} batch items. Pass one for each.`);
  }
  const { numBeams, numBeamGroups, doSample } = options;
  const width = rowsPerItem(options);
  const groupBeams = numBeams / numBeamGroups;
  const count = numBeams > 1 ? candidatesPerStep({ ...options, numBeams: groupBeams }) : 1;
  const select = doSample ? draw(count, numBeams, decoder.vocabSize) : rank(count);
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32);
  const source = new NextTokenSource(decoder, options, count, tokenScores);

  const answers = new Array<Sequence[]>(items);
  const slots: UnderWay[] = [];
  const rows = waitingRows(slots, width, options);
  let next = 0;
  let found = 0;
  const underWay = () => slots.filter(({ search }) => !search.isDone).map(({ item }) => item);
  const fits = () => next < items && (next === found || hasRoomFor(next, next - found, underWay));
  const start = async (slot: number) => {
    signal?.throwIfAborted();
    await decoder.start(slot);
    slots[slot] = { item: next, search: new ItemSearch(options, select, seed, itemNumbers[next]!) };
    next++;
  };

  for (;;) {
    while (fits()) await start(slots.length);
    if (slots.length === 0) return answers;
    signal?.throwIfAborted();
    const { tokens, parents } = lastOf(slots, width);
    await decoder.advance(tokens, parents);
    const nextTokens = await source.after(rows);
    for (const [slot, { item, search }] of slots.entries()) {
      search.step(nextTokens, slot * width);
      onToken?.(item, search.last.tokens[0]!);
      if (search.isDone) found++;
    }
    for (let slot = slots.length - 1; slot >= 0; slot--) {
      const { item, search } = slots[slot]!;
      if (!search.isDone) continue;
      answers[item] = search.answers();
      onAnswers?.(item, answers[item]!);
      if (fits()) {
        await start(slot);
      } else {
        decoder.drop(slot);
        const last = slots.pop()!;
        if (slot < slots.length) slots[slot] = last;
      }
    }
  }
}

function waitingRows(slots: readonly UnderWay[], width: number, { maxLength }: GenerationOptions): WaitingRows {
  const tokens = new Int32Array(maxLength);
  const searchOf = (row: number) => slots[Math.floor(row / width)]!.search;
  return {
    get count() {
      return slots.length * width;
    },
    isOpen: (row) => searchOf(row).isOpen(row % width),
    tokensOf(row) {
      const search = searchOf(row);
      const into = tokens.subarray(0, search.length);
      search.read(row % width, into);
      return into;
    },
  };
}

/** The last token of every row and the beam that it continued. */
function lastOf(slots: readonly UnderWay[], width: number): { tokens: Int32Array; parents: Int32Array } {
  const tokens = new Int32Array(slots.length * width);
  const parents = new Int32Array(slots.length * width);
  for (const [slot, { search }] of slots.entries()) {
    tokens.set(search.last.tokens, slot * width);
    parents.set(search.last.parents, slot * width);
  }
  return { tokens, parents };
}
