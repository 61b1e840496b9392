import { fail } from '../errors.js';
import type { Value } from '../graph/index.js';
import type { DecoderInput } from './architecture.js';
import { attentionSublayer, embed, feedForwardSublayer } from './bert.js';
import type { AttentionNames, BertConfig } from './bert-config.js';
import { attentionSpecs, bertSpecs, linearSpecs, normSpecs, prefixed } from './bert-parameters.js';
import type { Builder, ParameterSpec } from './builder.js';

const crossNames: AttentionNames = {
  query: 'crossattention.self.query',
  key: 'crossattention.self.key',
  value: 'crossattention.self.value',
  output: 'crossattention.output.dense',
  norm: 'crossattention.output.LayerNorm',
};

const embeddings = 'bert.embeddings.word_embeddings.weight';
const projection = 'cls.predictions.decoder.weight';
const bias = 'cls.predictions.bias';

/** The vocabulary projection of a BERT under `prefix`. */
export function bertHead(prefix: string, { tied }: BertConfig): { readonly weight: string; readonly bias: string } {
  return { weight: `${prefix}.${tied ? embeddings : projection}`, bias: `${prefix}.${bias}` };
}

/** Keys and values of a layer's cross-attention, as rows. */
export function bertCrossAttention(m: Builder, config: BertConfig, layer: number, encoded: Value) {
  const block = m.at(`bert.${config.family.layers}.${layer}`);
  return { k: block.linear(encoded, crossNames.key), v: block.linear(encoded, crossNames.value) };
}

/**
 * Transformers' `BertLMHeadModel` with cross-attention under `m`, up to its vocabulary projection: [rows, size].
 * The head first transforms what the layers give: LayerNorm(act(W·y + b)).
 */
export function bertDecoder(
  m: Builder,
  config: BertConfig,
  { ids, positions, attention, encoded }: DecoderInput,
): Value {
  const { layers, names } = config.family;
  let y = embed(m.at('bert'), config, { ids, positions });
  for (let layer = 0; layer < config.layers; layer++) {
    y = m.within(`bert.${layers}.${layer}`, (block) => {
      const a = attentionSublayer(block, config, names.attention, y, (project) =>
        attention.self(block.at('attention'), layer, project('query'), project('key'), project('value')),
      );
      const b = attentionSublayer(block, config, crossNames, a, (project) =>
        attention.cross(block.at('crossattention'), layer, project('query'), () =>
          bertCrossAttention(m, config, layer, encoded ?? fail('model', 'the decoder needs the encoder output.')),
        ),
      );
      return feedForwardSublayer(block, config, b);
    });
  }
  return m.within('cls.predictions.transform', (head) =>
    head.layerNorm(config.act(head.linear(y, 'dense')), 'LayerNorm', config.epsilon),
  );
}

/** Its arrays. What an encoder's checkpoint lacks is optional: cross-attention, and the head of a bare `BertModel`. */
export function bertDecoderSpecs(config: BertConfig): ParameterSpec[] {
  const { size, vocabSize, tied, drawn } = config;
  const optional = (specs: readonly ParameterSpec[]) => specs.map((spec) => ({ ...spec, optional: true }));
  const head = [
    ...linearSpecs('cls.predictions.transform.dense', size, size, config),
    ...normSpecs('cls.predictions.transform.LayerNorm', size),
    ...(tied ? [] : [{ name: projection, shape: [vocabSize, size], initialization: drawn }]),
    {
      name: bias,
      shape: [vocabSize],
      initialization: { kind: 'zeros' } as const,
      aliases: ['cls.predictions.decoder.bias'],
    },
  ];
  const base = prefixed('bert', bertSpecs(config, optional(attentionSpecs(crossNames, config))));
  return [
    ...base.map((spec) => (tied && spec.name === embeddings ? { ...spec, aliases: [projection] } : spec)),
    ...optional(head),
  ];
}
