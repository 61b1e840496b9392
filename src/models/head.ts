import { reshape, type Value } from '../graph/index.js';
import type { Seq2SeqArchitecture } from './architecture.js';
import type { Builder } from './builder.js';

/** hidden [rows, size] → logits [rows, vocabulary] */
export function vocabularyLogits(m: Builder, { head, vocabSize }: Seq2SeqArchitecture, hidden: Value): Value {
  const biased = head.bias !== undefined && !m.isZero(head.bias);
  const bias = biased ? reshape(m.parameter(head.bias!), [vocabSize]) : undefined;
  return m.multiply(hidden, head.weight, bias);
}
