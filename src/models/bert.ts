import { add, gather, slice, type Value } from '../graph/index.js';
import type { EncoderInput } from './architecture.js';
import { packedAttention } from './attention.js';
import type { AttentionNames, BertConfig } from './bert-config.js';
import type { Builder } from './builder.js';
import type { PackedInput } from './packing.js';

/** [tokens, size]: the sum of word, segment and position embeddings, normalised, and projected where they are narrower. */
export function embed(m: Builder, config: BertConfig, { ids, positions }: Omit<PackedInput, 'layout'>): Value {
  const part = m.at('embeddings');
  const words = part.embed('word_embeddings.weight', ids);
  const segment0 = config.segments > 0 && slice(part.parameter('token_type_embeddings.weight'), 0, 0, 1);
  const placed = add(
    segment0 ? add(words, segment0) : words,
    gather(part.parameter('position_embeddings.weight'), positions),
  );
  const embedded = part.dropout(part.layerNorm(placed, 'LayerNorm', config.epsilon), config.dropout, 'dropout');
  return config.embeddingSize === config.size ? embedded : m.linear(embedded, 'embeddings_project');
}

/** Every sublayer ends alike: LayerNorm(x + Dropout(W·inner + b)). */
function residual(
  m: Builder,
  x: Value,
  inner: Value,
  names: { readonly output: string; readonly norm: string },
  { epsilon }: BertConfig,
  dropout: number,
): Value {
  const sublayer = m.dropout(m.linear(inner, names.output), dropout, `${names.output}.dropout`);
  return m.layerNorm(add(x, sublayer), names.norm, epsilon);
}

/** Attention with its residual; `attend` projects x as it needs and returns the attended values, all as rows. */
export function attentionSublayer(
  m: Builder,
  config: BertConfig,
  names: AttentionNames,
  x: Value,
  attend: (project: (name: 'query' | 'key' | 'value') => Value) => Value,
): Value {
  const attended = attend((name) => m.linear(x, names[name]));
  return residual(m, x, attended, names, config, config.family.dropsAttentionOutput ? config.dropout : 0);
}

export function feedForwardSublayer(m: Builder, config: BertConfig, x: Value): Value {
  const { intermediate, output, outputNorm: norm } = config.family.names;
  return residual(m, x, config.act(m.linear(x, intermediate)), { output, norm }, config, config.dropout);
}

/** The encoder under `m`: [tokens, size]. */
export function bertEncoder(m: Builder, config: BertConfig, { ids, positions, layout, biases }: EncoderInput): Value {
  const { layers, names } = config.family;
  let x = embed(m, config, { ids, positions });
  for (let layer = 0; layer < config.layers; layer++) {
    x = m.within(`${layers}.${layer}`, (block) => {
      const attended = attentionSublayer(block, config, names.attention, x, (project) => {
        const [q, k, v] = [project('query'), project('key'), project('value')];
        const shape = { heads: config.heads, dropout: config.attentionDropout };
        return packedAttention(block, shape, { q, k, v }, biases, layout);
      });
      return feedForwardSublayer(block, config, attended);
    });
  }
  return x;
}
