import { Random } from '../data/index.js';
import { fail } from '../errors.js';
import { BeamSearch, candidatesPerStep } from './beam-search.js';
import { History } from './history.js';
import { NextTokenSource } from './next-tokens.js';
import { checkTokenIds, type GenerationOptions } from './options.js';
import type { RowGroup, Sequence } from './row-group.js';
import { draw, rank } from './selection.js';
import { SingleSearch } from './single-search.js';
import type { StepDecoder } from './step-decoder.js';

export interface SearchHooks {
  /** Ends the search between two steps, with the signal's reason as the error. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The number of each batch item among all that the caller searches, which names its random stream: so an item is
   * sampled alike whatever batch it falls in. Left out: 0, 1, 2, …
   */
  readonly itemNumbers?: readonly number[] | undefined;
}

/** Rows that a decoder has for each batch item. */
export function rowsPerItem({ numBeams, numReturnSequences }: GenerationOptions): number {
  return numBeams > 1 ? numBeams : numReturnSequences;
}

/**
 * Generates from a decoder that stands at its first position, as Transformers' `generate` does: greedy search, beam
 * search, sampling, or sampling with beams. Answers come back by batch item, `numReturnSequences` each, best first.
 */
export async function search(
  decoder: StepDecoder,
  batchSize: number,
  options: GenerationOptions,
  { signal, itemNumbers = Array.from({ length: batchSize }, (_, item) => item) }: SearchHooks = {},
): Promise<Sequence[][]> {
  checkTokenIds(options, decoder.vocabSize);
  if (itemNumbers.length !== batchSize) {
    fail('generation', `${itemNumbers.length} item numbers came with ${batchSize} batch items. Pass one for each.`);
  }
  const width = options.numBeams;
  const count = width > 1 ? candidatesPerStep(options) : 1;
  const select = options.doSample ? draw(count, width, decoder.vocabSize) : rank(count);
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32);
  const Group = width > 1 ? BeamSearch : SingleSearch;

  // Which rows belong to whom is said here alone: group g holds the rows from g * width on.
  const groupsPerItem = rowsPerItem(options) / width;
  const groups: RowGroup[] = itemNumbers.flatMap((item) =>
    Array.from({ length: groupsPerItem }, (_, answer) => new Group(options, select, new Random(seed, item, answer))),
  );
  const rows = groups.length * width;
  const isOpen = (row: number) => !groups[Math.floor(row / width)]!.isDone;
  const source = new NextTokenSource(decoder, options, rows, count);
  const history = new History(rows, options.decoderStartTokenId);

  while (history.length < options.maxLength && groups.some((group) => !group.isDone)) {
    signal?.throwIfAborted();
    await decoder.advance(history.lastTokens, history.lastParents);
    const next = await source.after(history, isOpen);
    const tokens = new Int32Array(rows).fill(options.padTokenId);
    const parents = Int32Array.from(tokens, (_, row) => row);
    groups.forEach((group, index) => {
      if (!group.isDone) group.step(next, index * width, history.length, tokens, parents);
    });
    history.push(tokens, parents);
  }

  return itemNumbers.map((_, item) =>
    groups
      .slice(item * groupsPerItem, (item + 1) * groupsPerItem)
      .flatMap((group, answer) => group.answers(history, (item * groupsPerItem + answer) * width)),
  );
}
