import {
  add,
  broadcast,
  cast,
  greater,
  input,
  max,
  product,
  range,
  reshape,
  sumDims,
  type Value,
  where,
} from '../graph/index.js';
import {
  appendingDecoderAttention,
  Builder,
  MASKED,
  type Seq2SeqArchitecture,
  splitHeads,
  vocabularyLogits,
} from '../models/index.js';
import { lowerToNodes, type OnnxBranch, type OnnxModel, type OnnxNode } from '../onnx/index.js';
import type { IsZero } from './encoder.js';
import { maskBias } from './mask.js';

const BATCH = 'batch_size';
const LENGTH = 'decoder_sequence_length';
const PAST = 'past_decoder_sequence_length';
const SOURCE = 'encoder_sequence_length';
const ROWS = product([BATCH, LENGTH]);
const CACHED = 'use_cache_branch';

type Kind = 'key' | 'value';
const KINDS = ['key', 'value'] as const;
type Side = 'decoder' | 'encoder';
const SIDES = ['decoder', 'encoder'] as const;
const pastName = (layer: number, side: Side, kind: Kind) => `past_key_values.${layer}.${side}.${kind}`;
const presentName = (layer: number, side: Side, kind: Kind) => `present.${layer}.${side}.${kind}`;
/** What stands for them behind the branches of the first call and of later ones. */
const ownName = (layer: number, side: Side, kind: Kind) => `own.${layer}.${side}.${kind}`;

/**
 * The decoder with its cache in one model, as Optimum's `decoder_model_merged`: `input_ids` [batch, length],
 * `encoder_hidden_states`, `encoder_attention_mask` and `past_key_values.*` → `logits` and `present.*`. Where
 * `use_cache_branch` is false, keys and values of the source are computed, and those of earlier positions are none, whatever
 * is handed in; where it is true, all are `past_key_values`.
 */
export function decoderModel(architecture: Seq2SeqArchitecture, isZero: IsZero): OnnxModel {
  const step = stepModel(architecture, isZero);
  const first = crossModel(architecture, isZero);
  // Optimum's placeholders for the first call have the encoder's heads on both sides.
  const shapes = {
    decoder: [BATCH, 'decoder_heads', PAST, 'decoder_head_size'],
    encoder: [BATCH, 'encoder_heads', `${SOURCE}_out`, 'encoder_head_size'],
  };
  // Optimum takes them by their order, which is this.
  const caches = Array.from({ length: architecture.layers }, (_, layer) => layer).flatMap((layer) =>
    SIDES.flatMap((side) =>
      KINDS.map((kind) => ({
        past: pastName(layer, side, kind),
        own: ownName(layer, side, kind),
        source: ownName(layer, 'encoder', kind),
        shape: shapes[side],
      })),
    ),
  );
  const branch: OnnxNode = {
    op: 'If',
    inputs: [CACHED],
    outputs: caches.map(({ own }) => own),
    attributes: { then_branch: { graph: laterBranch(caches) }, else_branch: { graph: firstBranch(first, caches) } },
  };
  const fed = new Set(caches.map(({ own }) => own));
  const weights = new Map(
    [...step.initializers, ...first.initializers.filter((one) => 'external' in one)].map((one) => [one.name, one]),
  );
  return {
    ...step,
    nodes: [branch, ...step.nodes],
    inputs: [
      ...step.inputs.filter(({ name }) => !fed.has(name)),
      ...first.inputs,
      ...caches.map(({ past, shape }) => ({ name: past, dtype: 'float32' as const, shape })),
      { name: CACHED, dtype: 'bool', shape: [1] },
    ],
    initializers: [...weights.values()],
  };
}

interface Cache {
  readonly past: string;
  readonly own: string;
  /** The source's keys or values in the same layer, which have the shape of the decoder's but for the length. */
  readonly source: string;
  readonly shape: readonly (number | string)[];
}

function laterBranch(caches: readonly Cache[]): OnnxBranch {
  return {
    nodes: caches.map(({ past, own }) => ({ op: 'Identity', inputs: [past], outputs: [`then/${own}`] })),
    outputs: caches.map(({ own, shape }) => ({ name: `then/${own}`, dtype: 'float32', shape })),
    initializers: [],
  };
}

function firstBranch(cross: OnnxModel, caches: readonly Cache[]): OnnxBranch {
  const computed = new Map(cross.outputs.map((output) => [output.name, output]));
  const places = ['else/none', 'else/axis'];
  return {
    nodes: [
      ...cross.nodes,
      ...caches
        .filter(({ own }) => !computed.has(`else/${own}`))
        .map(({ own, source }) => ({
          op: 'Slice',
          inputs: [`else/${source}`, 'else/none', 'else/none', 'else/axis'],
          outputs: [`else/${own}`],
        })),
    ],
    outputs: caches.map(({ own, shape }) => ({ name: `else/${own}`, dtype: 'float32', shape })),
    initializers: [
      ...cross.initializers.filter((initializer) => 'data' in initializer),
      ...places.map((name, value) => ({
        name,
        dtype: 'int64' as const,
        shape: [1],
        data: BigInt64Array.of(BigInt(2 * value)),
      })),
    ],
  };
}

/** Keys and values of every layer's cross-attention, [batch, heads, source, size], in the order of layers. */
function crossModel(architecture: Seq2SeqArchitecture, isZero: IsZero): OnnxModel {
  const m = Builder.create({ parameters: architecture.parameters, training: false, isZero });
  const { heads, headSize } = architecture.decoderAttention;
  const states = input('encoder_hidden_states', 'float32', [BATCH, SOURCE, heads * headSize]);
  const rows = reshape(states, [product([BATCH, SOURCE]), heads * headSize]);
  const outputs: Record<string, Value> = {};
  for (let layer = 0; layer < architecture.layers; layer++) {
    const { k, v } = architecture.crossAttention(m, layer, rows);
    const rectangle = { batch: BATCH, length: SOURCE };
    outputs[`else/${ownName(layer, 'encoder', 'key')}`] = splitHeads(k, heads, rectangle);
    outputs[`else/${ownName(layer, 'encoder', 'value')}`] = splitHeads(v, heads, rectangle);
  }
  return lowerToNodes(outputs, { constantParameters: true, standardOnly: true, namePrefix: 'else/' }).model;
}

/** The rest of the decoder, to which the keys and values of the source are inputs. */
function stepModel(architecture: Seq2SeqArchitecture, isZero: IsZero): OnnxModel {
  const m = Builder.create({ parameters: architecture.parameters, training: false, isZero });
  const { heads, headSize } = architecture.decoderAttention;
  const ids = input('input_ids', 'int64', [BATCH, LENGTH]);
  const cache = (name: (kind: Kind) => string, places: string) => ({
    k: input(name('key'), 'float32', [BATCH, heads, places, headSize]),
    v: input(name('value'), 'float32', [BATCH, heads, places, headSize]),
  });
  const places = add(range(LENGTH), earlierPositions());
  const rectangle = { batch: BATCH, length: LENGTH };
  const outputs: Record<string, Value> = {};
  const cross = Array.from({ length: architecture.layers }, (_, layer) =>
    cache((kind) => ownName(layer, 'encoder', kind), SOURCE),
  );
  const attention = appendingDecoderAttention(architecture.decoderAttention, rectangle, {
    past: (layer) => cache((kind) => ownName(layer, 'decoder', kind), PAST),
    cross: (layer) => cross[layer]!,
    biases: {
      self: causalBias(places),
      source: maskBias(input('encoder_attention_mask', 'int64', [BATCH, SOURCE])),
    },
    onPresent(layer, { k, v }) {
      outputs[presentName(layer, 'decoder', 'key')] = k;
      outputs[presentName(layer, 'decoder', 'value')] = v;
      outputs[presentName(layer, 'encoder', 'key')] = cross[layer]!.k;
      outputs[presentName(layer, 'encoder', 'value')] = cross[layer]!.v;
    },
  });
  const hidden = architecture.decoder(m, {
    ids: reshape(cast(ids, 'int32'), [ROWS]),
    positions: reshape(broadcast(places, [BATCH, LENGTH]), [ROWS]),
    attention,
  });
  const logits = reshape(vocabularyLogits(m, architecture, hidden), [BATCH, LENGTH, architecture.vocabSize]);
  return lowerToNodes({ logits, ...outputs }, { constantParameters: true, standardOnly: true }).model;
}

/** [1] int32: positions in the cache, the largest of 0 … past. */
function earlierPositions(): Value {
  return cast(max(cast(range(sumDims([PAST, 1])), 'float32'), [0], true), 'int32');
}

/** [length, past + length]: hides what comes behind a position. */
function causalBias(places: Value): Value {
  const all = sumDims([PAST, LENGTH]);
  const isLater = greater(reshape(range(all), [1, all]), reshape(places, [LENGTH, 1]));
  return where(isLater, MASKED, 0);
}
