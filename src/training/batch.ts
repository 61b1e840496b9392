import { type Feeds, groupSuffix, packSource, packTarget, type Seq2SeqArchitecture } from '../models/index.js';
import type { Example } from './examples.js';
import { rectanglesOf } from './rectangles.js';

/** A batch ready to be fed, with its sizes. */
export interface Batch {
  readonly feeds: Feeds;
  /** How many labels count: all but padding tokens. */
  readonly labelCount: number;
  readonly tokenCount: number;
  /** Of the rectangles [rows, longest] of both sides: what is not a token is padding to attention. */
  readonly places: number;
  readonly rows: number;
  /** Rectangles that attention works over. */
  readonly groups: number;
  /** What the graph's symbols stand for in this batch. */
  readonly sizes: ReadonlyMap<string, number>;
}

/**
 * Packs examples, each with what the architecture teaches by it; a label equal to the padding token is given no weight
 * (Transformers' −100).
 *
 * @param share of this batch in the loss; 1/k when k batches make one optimizer step
 */
export function createBatch(examples: readonly Example[], architecture: Seq2SeqArchitecture, share = 1): Batch {
  const groups = rectanglesOf(examples);
  const sources = groups.map((group) => group.map(({ source }) => source));
  const taught = groups.map((group) => group.map(({ target }) => architecture.teach(target)));
  const decoderInputs = taught.map((group) => group.map(({ decoderInput }) => decoderInput));
  const labels = concatenate(taught.flat().map((each) => each.labels));
  const counts = Float32Array.from(labels, (label) => Number(label !== architecture.padTokenId));
  const labelCount = counts.reduce((total, counted) => total + counted, 0);
  const labelWeights = counts.map((counted) => (counted * share) / Math.max(1, labelCount));
  const feeds: Feeds = {
    ...packSource(sources, architecture),
    ...packTarget(decoderInputs),
    labels: { data: labels, shape: [labels.length] },
    labelWeights: { data: labelWeights, shape: [labels.length, 1] },
  };
  const sourceTokens = sources.flat().reduce((total, source) => total + source.length, 0);
  const sizes = new Map([
    ['sourceTokens', sourceTokens],
    ['targetTokens', labels.length],
  ]);
  let places = 0;
  for (const [group, { length: rows }] of groups.entries()) {
    const suffix = groupSuffix(group, groups.length);
    const [source, target] = [longest(sources[group]!), longest(decoderInputs[group]!)];
    sizes.set(`batch${suffix}`, rows).set(`sourceLength${suffix}`, source).set(`targetLength${suffix}`, target);
    places += rows * (source + target);
  }
  const tokenCount = sourceTokens + labels.length;
  return { feeds, labelCount, tokenCount, places, rows: examples.length, groups: groups.length, sizes };
}

const longest = (sequences: readonly Int32Array[]) => sequences.reduce((most, { length }) => Math.max(most, length), 0);

function concatenate(arrays: readonly Int32Array[]): Int32Array {
  const result = new Int32Array(arrays.reduce((total, array) => total + array.length, 0));
  let offset = 0;
  for (const array of arrays) {
    result.set(array, offset);
    offset += array.length;
  }
  return result;
}
