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
import { lowerToNodes, type OnnxModel, type OnnxNode } from '../onnx/index.js';
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
const pastName = (layer: number, side: 'decoder' | 'encoder', kind: Kind) => `past_key_values.${layer}.${side}.${kind}`;
const presentName = (layer: number, side: 'decoder' | 'encoder', kind: Kind) => `present.${layer}.${side}.${kind}`;
/** What the branches of the cached and of the first call put in the place of cross-attention's keys and values. */
const crossName = (layer: number, kind: Kind) => `cross.${layer}.${kind}`;

/**
 * The decoder with its cache in one model, as Optimum's `decoder_model_merged`: `input_ids` [batch, length],
 * `encoder_hidden_states`, `encoder_attention_mask` and `past_key_values.*` → `logits` and `present.*`. Keys and values of
 * the source are computed where `use_cache_branch` is false, and taken from `past_key_values.*.encoder` where it is true.
 */
export function decoderModel(architecture: Seq2SeqArchitecture, isZero: IsZero): OnnxModel {
  const step = stepModel(architecture, isZero);
  const first = crossModel(architecture, isZero);
  const layers = Array.from({ length: architecture.layers }, (_, layer) => layer);
  const each = layers.flatMap((layer) => KINDS.map((kind) => ({ layer, kind })));
  const branch: OnnxNode = {
    op: 'If',
    inputs: [CACHED],
    outputs: each.map(({ layer, kind }) => crossName(layer, kind)),
    attributes: {
      then_branch: { graph: pastBranch(first, each) },
      else_branch: {
        graph: {
          nodes: first.nodes,
          outputs: first.outputs,
          initializers: first.initializers.filter((initializer) => 'data' in initializer),
        },
      },
    },
  };
  const fed = new Set(each.map(({ layer, kind }) => crossName(layer, kind)));
  const weights = new Map([...step.initializers, ...first.initializers].map((each) => [each.name, each]));
  return {
    ...step,
    nodes: [branch, ...step.nodes],
    inputs: [
      ...step.inputs.filter(({ name }) => !fed.has(name)),
      ...first.inputs,
      ...each.map(({ layer, kind }) => ({
        ...first.outputs[0]!,
        name: pastName(layer, 'encoder', kind),
        shape: [BATCH, ...first.outputs[0]!.shape.slice(1, 2), `${SOURCE}_out`, ...first.outputs[0]!.shape.slice(3)],
      })),
      { name: CACHED, dtype: 'bool', shape: [1] },
    ],
    initializers: [...weights.values()].filter(
      ({ name }) => !first.initializers.some((own) => own.name === name && 'data' in own),
    ),
  };
}

function pastBranch({ outputs }: OnnxModel, each: readonly { layer: number; kind: Kind }[]) {
  const names = each.map(({ layer, kind }) => ({
    from: pastName(layer, 'encoder', kind),
    to: `then.${layer}.${kind}`,
  }));
  return {
    nodes: names.map(({ from, to }) => ({ op: 'Identity', inputs: [from], outputs: [to] })),
    outputs: names.map(({ to }) => ({ ...outputs[0]!, name: to })),
    initializers: [],
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
    outputs[`else.${layer}.key`] = splitHeads(k, heads, rectangle);
    outputs[`else.${layer}.value`] = splitHeads(v, heads, rectangle);
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
    cache((kind) => crossName(layer, kind), SOURCE),
  );
  const attention = appendingDecoderAttention(architecture.decoderAttention, rectangle, {
    past: (layer) => cache((kind) => pastName(layer, 'decoder', kind), PAST),
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
