import { add, broadcast, cast, constant, input, product, range, reshape, type Value } from '../graph/index.js';
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
  const ids = input('input_ids', 'int64', [BATCH, LENGTH]);
  const mask = input('attention_mask', 'int64', [BATCH, LENGTH]);
  const hidden = architecture.encoder(m, {
    ids: reshape(cast(ids, 'int32'), [ROWS]),
    positions: positions(architecture),
    layout: { tokens: ROWS, rectangles: [{ batch: BATCH, length: LENGTH }] },
    biases: [maskBias(mask)],
  });
  const states = reshape(hidden, [BATCH, LENGTH, hidden.shape[1]!]);
  return lowerToNodes({ last_hidden_state: states }, { constantParameters: true, standardOnly: true }).model;
}

/** [rows]: the place of each token, counted from where the architecture begins. Padding comes behind, where it is not seen. */
function positions({ sourcePositions }: Seq2SeqArchitecture): Value {
  // One of two tokens may be the padding, which counts for less.
  const first = Math.max(...[0, 1].map((token) => sourcePositions?.(Int32Array.of(token))[0] ?? 0));
  const places = first === 0 ? range(LENGTH) : add(range(LENGTH), constant(first, 'int32'));
  return reshape(broadcast(places, [BATCH, LENGTH]), [ROWS]);
}
