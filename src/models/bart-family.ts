import { fail } from '../errors.js';
import { add, constant, gather, multiply, type Value } from '../graph/index.js';
import { activation } from './activations.js';
import type { DecoderInput, EncoderInput, Seq2SeqArchitecture } from './architecture.js';
import { packedAttention } from './attention.js';
import { type BartTraits, readBartConfig, type Side } from './bart-family-config.js';
import { bartParameters, LOGITS_BIAS } from './bart-family-parameters.js';
import type { Builder } from './builder.js';
import type { JsonObject } from './config.js';
import type { PackedLayout } from './packing.js';

const LAYER_NORM_EPSILON = 1e-5;

/** A model of BART's family (Lewis et al. 2020), under the names its weights have in Transformers. */
export function bartFamily(json: JsonObject, traits: BartTraits): Seq2SeqArchitecture {
  const config = readBartConfig(json, traits);
  const act = activation(config.activationFunction);
  const embedScale = config.scaleEmbedding ? Math.sqrt(config.size) : 1;
  const offset = traits.positions.kind === 'learned' ? traits.positions.offset : 0;

  const norm = (m: Builder, x: Value, name: string): Value => m.layerNorm(x, name, LAYER_NORM_EPSILON);

  const embed = (m: Builder, side: Side, ids: Value, positions: Value): Value => {
    const tokens = m.embed(config.embeddings[side], ids);
    const scaled = embedScale === 1 ? tokens : multiply(tokens, embedScale);
    const part = m.at(`model.${side}`);
    const rows = offset === 0 ? positions : add(positions, constant(offset, 'int32'));
    const placed = add(scaled, gather(part.parameter('embed_positions.weight'), rows));
    const normed = traits.normalizesEmbeddings ? norm(part, placed, 'layernorm_embedding') : placed;
    return part.dropout(normed, config.dropout, 'dropout');
  };

  /** LayerNorm(x + Dropout(f(x))), or x + Dropout(f(LayerNorm(x))). */
  const sublayer = (m: Builder, x: Value, name: string, f: (x: Value) => Value): Value => {
    const before = traits.norm === 'before';
    const inner = m.dropout(f(before ? norm(m, x, name) : x), config.dropout, `${name}.dropout`);
    return before ? add(x, inner) : norm(m, add(x, inner), name);
  };

  const feedForward = (m: Builder, x: Value): Value =>
    sublayer(m, x, 'final_layer_norm', (y) => {
      const inner = m.dropout(act(m.linear(y, 'fc1')), config.activationDropout, 'activation_dropout');
      return m.linear(inner, 'fc2');
    });

  /** All layers of a side, one after the other. */
  const stack = (m: Builder, side: Side, x: Value, block: (m: Builder, x: Value, layer: number) => Value): Value => {
    for (let layer = 0; layer < config.layers[side]; layer++) {
      x = m.within(`model.${side}.layers.${layer}`, (part) => feedForward(part, block(part, x, layer)));
    }
    return traits.norm === 'before' ? norm(m.at(`model.${side}`), x, 'layer_norm') : x;
  };

  const encoderAttention = (m: Builder, x: Value, layout: PackedLayout, biases: readonly Value[]): Value => {
    const [q, k, v] = [m.linear(x, 'q_proj'), m.linear(x, 'k_proj'), m.linear(x, 'v_proj')];
    const shape = { heads: config.heads.encoder, dropout: config.attentionDropout };
    return m.linear(packedAttention(m, shape, { q, k, v }, biases, layout), 'out_proj');
  };

  const crossAttention = (m: Builder, layer: number, encoded: Value) => {
    const attention = m.at(`model.decoder.layers.${layer}.encoder_attn`);
    return { k: attention.linear(encoded, 'k_proj'), v: attention.linear(encoded, 'v_proj') };
  };

  return {
    type: traits.type,
    parts: [{ folder: '', prefix: '', basePrefix: 'model.', className: traits.className }],
    sourceVocabSize: config.vocabSizes.encoder,
    vocabSize: config.vocabSizes.decoder,
    layers: config.layers.decoder,
    decoderAttention: {
      heads: config.heads.decoder,
      headSize: config.size / config.heads.decoder,
      dropout: config.attentionDropout,
    },
    maxSourceLength: config.maxPositions,
    maxTargetLength: config.maxPositions,
    ...(config.layerDrop && {
      untrainable: `${config.layerDrop} is not 0, but layers are never dropped here. Override it: config { "${config.layerDrop}": 0 }.`,
    }),
    padTokenId: config.padTokenId,
    teach: (labels) => traits.teach(labels, config),
    ...(traits.languageCode && { languageCode: traits.languageCode }),
    generationDefaults: traits.generationDefaults,
    parameters: bartParameters(config, traits),
    head: { weight: config.head, bias: LOGITS_BIAS },
    crossAttention,

    encoder(m: Builder, { ids, positions, layout, biases }: EncoderInput): Value {
      return stack(m, 'encoder', embed(m, 'encoder', ids, positions), (block, x) =>
        sublayer(block, x, 'self_attn_layer_norm', (y) => encoderAttention(block.at('self_attn'), y, layout, biases)),
      );
    },

    decoder(m: Builder, { ids, positions, attention, encoded }: DecoderInput): Value {
      return stack(m, 'decoder', embed(m, 'decoder', ids, positions), (block, x, layer) => {
        const a = sublayer(block, x, 'self_attn_layer_norm', (y) => {
          const own = block.at('self_attn');
          const project = (name: string) => own.linear(y, name);
          const earlier = attention.self(own, layer, project('q_proj'), project('k_proj'), project('v_proj'));
          return own.linear(earlier, 'out_proj');
        });
        return sublayer(block, a, 'encoder_attn_layer_norm', (y) => {
          const across = block.at('encoder_attn');
          const keysAndValues = () =>
            crossAttention(m, layer, encoded ?? fail('model', 'the decoder needs the encoder output.'));
          const source = attention.cross(across, layer, across.linear(y, 'q_proj'), keysAndValues);
          return across.linear(source, 'out_proj');
        });
      });
    },
  };
}
