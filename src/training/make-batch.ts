import { fail } from '../errors.js';
import type { Seq2SeqArchitecture } from '../models/index.js';
import { type Batch, createBatch } from './batch.js';
import type { Example } from './examples.js';
import { createRagBatch, type FindDocuments } from './rag-batch.js';

export interface BatchMaking {
  /** Of the batch in the loss of an optimizer step. */
  readonly share?: number;
  /** Of models that look documents up. */
  readonly findDocuments?: FindDocuments | undefined;
}

/** The batch of some examples; a model that retrieves first looks documents up for its questions. */
export function makeBatch(
  examples: readonly Example[],
  architecture: Seq2SeqArchitecture,
  { share = 1, findDocuments }: BatchMaking,
): Batch | Promise<Batch> {
  const { retrieval } = architecture;
  if (!retrieval) return createBatch(examples, architecture, share);
  if (!findDocuments) return fail('training', 'the model looks documents up, but was given none to look in.');
  return findDocuments(examples.map(({ source }) => source)).then((found) =>
    createRagBatch(examples, found, architecture, retrieval, share),
  );
}
