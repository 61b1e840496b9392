import {
  add,
  type Dim,
  exp,
  input,
  lastDim,
  log,
  logSoftmax,
  max,
  product,
  reshape,
  subtract,
  sum,
  type Value,
} from '../graph/index.js';

/** Rows of an item that differ in the document they read: its beams are there once for each document. */
export interface Marginal {
  readonly documents: number;
  readonly beams: number;
}

/** Rows of the decoder; without a marginal each stands for itself. */
export const rowsOf = (marginal: Marginal | undefined): Dim =>
  marginal ? product(['items', marginal.documents, marginal.beams]) : 'rows';

/**
 * log Σ_d p(d)·p(token | d), [items·beams, vocabulary], of logits [items·documents·beams, vocabulary]; the input
 * `documents.logProbs` is [items, documents].
 */
export function marginalised(logits: Value, { documents, beams }: Marginal): Value {
  const vocabulary = lastDim(logits.shape);
  const priors = input('documents.logProbs', 'float32', ['items', documents]);
  const each = reshape(logSoftmax(logits), ['items', documents, product([beams, vocabulary])]);
  const weighed = add(each, reshape(priors, ['items', documents, 1]));
  const largest = max(weighed, [1], true);
  const total = add(log(sum(exp(subtract(weighed, largest)), [1], true)), largest);
  return reshape(total, [product(['items', beams]), vocabulary]);
}
