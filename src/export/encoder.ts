import {
  add,
  broadcast,
  cast,
  constant,
  greater,
  input,
  matmul,
  multiply,
  product,
  range,
  reshape,
  type Value,
  where,
} from '../graph/index.js';
import { Builder, type Seq2SeqArchitecture } from '../models/index.js';
import { lowerToNodes, type OnnxModel } from '../onnx/index.js';
import { maskBias } from './mask.js';

/** Whether an array holds only zeros, so that terms with it are left out. */
export type IsZero = (parameter: string) => boolean;

const BATCH = 'batch_size';
const LENGTH = 'encoder_sequence_length';
const ROWS = product([BATCH, LENGTH]);

/** `input_ids` and `attention_mask` [batch, length] → `last_hidden_state` [batch, length, size]: Optimum's names. */
export function encoderModel(architecture: Seq2SeqArchitecture, isZero: IsZero): OnnxModel {
  const m = Builder.create({ parameters: architecture.parameters, training: false, isZero });
  const ids = cast(input('input_ids', 'int64', [BATCH, LENGTH]), 'int32');
  const mask = input('attention_mask', 'int64', [BATCH, LENGTH]);
  const hidden = architecture.encoder(m, {
    ids: reshape(ids, [ROWS]),
    positions: positions(ids, architecture),
    layout: { tokens: ROWS, rectangles: [{ batch: BATCH, length: LENGTH }] },
    biases: [maskBias(mask)],
  });
  const states = reshape(hidden, [BATCH, LENGTH, hidden.shape[1]!]);
  return lowerToNodes({ last_hidden_state: states }, { constantParameters: true, standardOnly: true }).model;
}

/** [rows]: the position of each token, as `packSource` counts them. */
function positions(ids: Value, { countedBehind: padding }: Seq2SeqArchitecture): Value {
  if (padding === undefined) return reshape(broadcast(range(LENGTH), [BATCH, LENGTH]), [ROWS]);
  const id = constant(padding, 'int32');
  const isReal = add(cast(greater(ids, id), 'float32'), cast(greater(id, ids), 'float32'));
  // [length, length], 1 where a column's place is not before the row's: a product with it sums up to each place.
  const upTo = where(greater(reshape(range(LENGTH), [LENGTH, 1]), reshape(range(LENGTH), [1, LENGTH])), 0, 1);
  return reshape(add(cast(multiply(isReal, matmul(isReal, upTo)), 'int32'), id), [ROWS]);
}
