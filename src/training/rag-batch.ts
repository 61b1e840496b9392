import {
  type Feeds,
  groupSuffix,
  packLabels,
  packSource,
  packTarget,
  packTexts,
  type Retrieval,
  type Seq2SeqArchitecture,
} from '../models/index.js';
import type { Batch } from './batch.js';
import type { Example } from './examples.js';
import { rectanglesOf } from './rectangles.js';

/** What was found for a question. */
export interface FoundDocuments {
  /** Each document with the question behind it, as token ids. */
  readonly contexts: readonly Int32Array[];
  /** [documents, size] */
  readonly vectors: Float32Array;
}

/** Looks documents up for questions of token ids, as the model's weights are now. */
export type FindDocuments = (questions: readonly Int32Array[]) => Promise<FoundDocuments[]>;

/** Documents as long as they can be, for a batch that is only to be measured. */
export function longestDocuments(examples: readonly Example[], { documents, size, maxCombinedLength }: Retrieval) {
  const contexts = new Array<Int32Array>(documents).fill(new Int32Array(maxCombinedLength));
  return examples.map((): FoundDocuments => ({ contexts, vectors: new Float32Array(documents * size) }));
}

/**
 * Packs questions with their documents: every document with its question is a source, and has the target to itself.
 * @param share multiplies the loss, which is the sum over all questions
 */
export function createRagBatch(
  examples: readonly Example[],
  found: readonly FoundDocuments[],
  architecture: Seq2SeqArchitecture,
  retrieval: Retrieval,
  share = 1,
): Batch {
  const { documents, size } = retrieval;
  const taught = examples.map(({ target }) => architecture.teach(target));
  const sequences = found.flatMap(({ contexts }, question) =>
    contexts.map((source, document) => ({ source, target: taught[question]!.decoderInput, question, document })),
  );
  const groups = rectanglesOf(sequences);
  const sources = groups.map((group) => group.map(({ source }) => source));
  const targets = groups.map((group) => group.map(({ target }) => target));
  const labels = packLabels(
    retrieval,
    taught.map((each) => each.labels),
    groups.flat(),
  );
  const vectors = new Float32Array(examples.length * documents * size);
  for (const [question, each] of found.entries()) vectors.set(each.vectors, question * documents * size);
  const feeds: Feeds = {
    ...packTexts(examples.map(({ source }) => source)),
    ...packSource(sources),
    ...packTarget(targets),
    ...labels.feeds,
    'documents.vectors': { data: vectors, shape: [examples.length, documents, size] },
    share: { data: Float32Array.of(share), shape: [1, 1] },
  };
  const lengthOf = (side: string) => feeds[`${side}.ids`]!.shape[0]!;
  const questionTokens = lengthOf('text');
  const questionLength = feeds['text.bias']!.shape[3]!;
  const sizes = new Map([
    ['questions', examples.length],
    ['textTokens', questionTokens],
    ['textLength', questionLength],
    ['sourceTokens', lengthOf('source')],
    ['targetTokens', lengthOf('target')],
    ['labels', feeds['label.counts']!.shape[0]!],
  ]);
  let places = examples.length * questionLength;
  for (const [group, { length: rows }] of groups.entries()) {
    const suffix = groupSuffix(group, groups.length);
    const source = feeds[`source.bias${suffix}`]!.shape[3]!;
    const target = feeds[`target.causalBias${suffix}`]!.shape[0]!;
    sizes.set(`batch${suffix}`, rows).set(`sourceLength${suffix}`, source).set(`targetLength${suffix}`, target);
    places += rows * (source + target);
  }
  const tokenCount = questionTokens + lengthOf('source') + lengthOf('target');
  return { feeds, labelCount: labels.count, tokenCount, places, rows: examples.length, groups: groups.length, sizes };
}
