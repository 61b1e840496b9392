import { fail } from '../errors.js';
import type { ModelWeights, Retrieval } from '../models/index.js';
import type { Tokenizer } from '../tokenizers/index.js';
import type { Knowledge } from './knowledge.js';
import type { Passage } from './passage.js';
import { QuestionEncoder } from './question-encoder.js';

/** A passage that was found for a question. */
export interface RetrievedDocument extends Passage {
  /** Its number in the knowledge. */
  readonly id: number;
  /** The inner product of its vector with the question's. */
  readonly score: number;
}

/** What was found for a question. */
export interface Retrieved {
  /** Best first. */
  readonly documents: readonly RetrievedDocument[];
  /** [documents, size] */
  readonly vectors: Float32Array;
  /** Each document with the question behind it, as the generator's token ids. */
  readonly contexts: readonly Int32Array[];
  /** log p(document): the log-softmax of the scores. */
  readonly logProbs: Float32Array;
}

export interface RetrieverParts {
  readonly knowledge: Knowledge;
  readonly retrieval: Retrieval;
  readonly weights: ModelWeights;
  readonly tokenizers: { readonly source: Tokenizer; readonly target: Tokenizer };
  readonly threads: number;
}

/** Finds the documents that a model reads, as Transformers' `RagRetriever` does. */
export class Retriever {
  readonly #parts: RetrieverParts;
  readonly #encoder: QuestionEncoder;

  constructor(parts: RetrieverParts) {
    const { knowledge, retrieval, weights, threads } = parts;
    checkKnowledge(knowledge, retrieval);
    this.#parts = parts;
    this.#encoder = new QuestionEncoder(retrieval, weights, threads);
  }

  /** @param questions token ids, special tokens included */
  async find(questions: readonly Int32Array[]): Promise<Retrieved[]> {
    const { knowledge, retrieval, tokenizers } = this.#parts;
    const { documents: count, size } = retrieval;
    const queries = await this.#encoder.encode(questions);
    const { ids } = await knowledge.search(queries, count);
    // As Transformers: where an index finds too few, the last passage stands in, without a vector.
    const known = ids.map((id) => (id < 0 ? knowledge.count - 1 : id));
    const [passages, vectors] = [await knowledge.passages(known), await knowledge.vectors(known)];
    for (const [at, id] of ids.entries()) if (id < 0) vectors.fill(0, at * size, (at + 1) * size);
    return questions.map((question, i) => {
      const query = queries.subarray(i * size, (i + 1) * size);
      const own = vectors.slice(i * count * size, (i + 1) * count * size);
      const asked = tokenizers.source.decode(question, { skipSpecialTokens: true });
      const documents = Array.from({ length: count }, (_, place) => {
        const score = innerProduct(query, own.subarray(place * size, (place + 1) * size));
        return { id: ids[i * count + place]!, ...passages[i * count + place]!, score };
      });
      return {
        documents,
        vectors: own,
        contexts: documents.map((document) =>
          tokenizers.target.encode(contextOf(document, asked, retrieval), { maxLength: retrieval.maxCombinedLength }),
        ),
        logProbs: logSoftmax(documents.map(({ score }) => score)),
      };
    });
  }

  get knowledge(): Knowledge {
    return this.#parts.knowledge;
  }

  dispose(): void {
    this.#encoder.dispose();
    // Files and connections close by themselves; nothing is left to wait for.
    this.knowledge.close().catch(() => {});
  }
}

/** Before any long work: whether vectors of this knowledge can be compared to the model's, and are enough. */
export function checkKnowledge(
  knowledge: Pick<Knowledge, 'description' | 'dimension' | 'count'>,
  { size, documents }: Pick<Retrieval, 'size' | 'documents'>,
): void {
  const { description, dimension, count } = knowledge;
  if (dimension !== size) {
    fail(
      'knowledge',
      `${description} has vectors of ${dimension} numbers, the question encoder makes ${size}. ` +
        'Use the context encoder that belongs to it, and build the index again.',
    );
  }
  if (count < documents) {
    fail(
      'knowledge',
      `${description} has ${count} passages, but n_docs is ${documents}. Lower it: config { "n_docs": ${count} }.`,
    );
  }
}

/** What the generator reads: `title / text // question`, without quotes around the title. */
export function contextOf({ title, text }: Passage, question: string, retrieval: Retrieval): string {
  const { prefix, titleSeparator, documentSeparator } = retrieval;
  const bare = title.replace(/^"/, '').replace(/"$/, '');
  return (prefix + bare + titleSeparator + text + documentSeparator + question).replaceAll('  ', ' ');
}

function innerProduct(a: Float32Array, b: Float32Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
}

function logSoftmax(scores: readonly number[]): Float32Array {
  const largest = Math.max(...scores);
  const normaliser = largest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0));
  return Float32Array.from(scores, (score) => score - normaliser);
}
