import { fail } from '../errors.js';
import { add, constant, gather, multiply, type Value } from '../graph/index.js';
import { activation } from './activations.js';
import type { DecoderInput, EncoderInput, Seq2SeqArchitecture } from './architecture.js';
import { mergeHeads, scaledDotProductAttention, splitHeads } from './attention.js';
import type { Builder, ParameterSpec } from './builder.js';
import { ConfigReader, type JsonObject } from './config.js';
import type { PackedLayout } from './packing.js';
import { shiftedBehind } from './targets.js';

/** Positions are looked up 2 rows further down: fairseq once kept its padding there. */
const POSITION_OFFSET = 2;
const LAYER_NORM_EPSILON = 1e-5;

/** BART (Lewis et al. 2020), as Transformers' `BartForConditionalGeneration` computes it. */
export function bart(json: JsonObject): Seq2SeqArchitecture {
  const config = readConfig(json);
  const act = activation(config.activationFunction);
  const embedScale = config.scaleEmbedding ? Math.sqrt(config.size) : 1;

  const embed = (m: Builder, side: 'encoder' | 'decoder', ids: Value, positions: Value): Value => {
    const tokens = gather(m.parameter('model.shared.weight'), ids);
    const scaled = embedScale === 1 ? tokens : multiply(tokens, embedScale);
    const part = m.at(`model.${side}`);
    const placed = add(
      scaled,
      gather(part.parameter('embed_positions.weight'), add(positions, constant(POSITION_OFFSET, 'int32'))),
    );
    return part.dropout(part.layerNorm(placed, 'layernorm_embedding', LAYER_NORM_EPSILON), config.dropout, 'dropout');
  };

  /** Every sublayer ends alike: y = LayerNorm(x + Dropout(sublayer(x))). */
  const residual = (m: Builder, x: Value, sublayer: Value, norm: string): Value =>
    m.layerNorm(add(x, m.dropout(sublayer, config.dropout, `${norm}.dropout`)), norm, LAYER_NORM_EPSILON);

  const feedForward = (m: Builder, x: Value): Value => {
    const inner = m.dropout(act(m.linear(x, 'fc1')), config.activationDropout, 'activation_dropout');
    return m.linear(inner, 'fc2');
  };

  const selfAttention = (m: Builder, x: Value, layout: PackedLayout, bias: Value): Value => {
    const heads = (name: string) => splitHeads(m.linear(x, name), config.encoderHeads, layout);
    const [q, k, v] = [heads('q_proj'), heads('k_proj'), heads('v_proj')];
    const attended = scaledDotProductAttention(m, q, k, v, bias, config.attentionDropout);
    return m.linear(mergeHeads(attended, layout), 'out_proj');
  };

  const crossAttention = (m: Builder, layer: number, encoded: Value) => {
    const attention = m.at(`model.decoder.layers.${layer}.encoder_attn`);
    return { k: attention.linear(encoded, 'k_proj'), v: attention.linear(encoded, 'v_proj') };
  };

  return {
    type: 'bart',
    parts: [{ folder: '', prefix: '', basePrefix: 'model.', className: 'BartForConditionalGeneration' }],
    sourceVocabSize: config.vocabSize,
    vocabSize: config.vocabSize,
    layers: config.decoderLayers,
    decoderAttention: {
      heads: config.decoderHeads,
      headSize: config.size / config.decoderHeads,
      dropout: config.attentionDropout,
    },
    maxSourceLength: config.maxPositions,
    maxTargetLength: config.maxPositions,
    ...(config.layerDrop && {
      untrainable: `${config.layerDrop} is not 0, but layers are never dropped here. Override it: config { "${config.layerDrop}": 0 }.`,
    }),
    padTokenId: config.padTokenId,
    teach: (labels) => shiftedBehind(config.decoderStartTokenId, labels),
    generationDefaults: {
      bos_token_id: 0,
      pad_token_id: 1,
      eos_token_id: 2,
      decoder_start_token_id: 2,
      forced_eos_token_id: 2,
    },
    parameters: parameters(config),
    head: { weight: config.tied ? 'model.shared.weight' : 'lm_head.weight', bias: 'final_logits_bias' },
    crossAttention,

    encoder(m: Builder, { ids, positions, layout, bias }: EncoderInput): Value {
      let x = embed(m, 'encoder', ids, positions);
      for (let layer = 0; layer < config.encoderLayers; layer++) {
        x = m.within(`model.encoder.layers.${layer}`, (block) => {
          const attended = selfAttention(block.at('self_attn'), x, layout, bias);
          const y = residual(block, x, attended, 'self_attn_layer_norm');
          return residual(block, y, feedForward(block, y), 'final_layer_norm');
        });
      }
      return x;
    },

    decoder(m: Builder, { ids, positions, attention, encoded }: DecoderInput): Value {
      let y = embed(m, 'decoder', ids, positions);
      for (let layer = 0; layer < config.decoderLayers; layer++) {
        y = m.within(`model.decoder.layers.${layer}`, (block) => {
          const own = block.at('self_attn');
          const project = (name: string) => own.linear(y, name);
          const earlier = attention.self(own, layer, project('q_proj'), project('k_proj'), project('v_proj'));
          const a = residual(block, y, own.linear(earlier, 'out_proj'), 'self_attn_layer_norm');

          const across = block.at('encoder_attn');
          const keysAndValues = () =>
            crossAttention(m, layer, encoded ?? fail('model', 'the decoder needs the encoder output.'));
          const source = attention.cross(across, layer, across.linear(a, 'q_proj'), keysAndValues);
          const b = residual(block, a, across.linear(source, 'out_proj'), 'encoder_attn_layer_norm');
          return residual(block, b, feedForward(block, b), 'final_layer_norm');
        });
      }
      return y;
    },
  };
}

type BartConfig = ReturnType<typeof readConfig>;

/** The fields of `BartConfig` with Transformers' defaults; sizes have none, since a wrong guess would only fail later. */
function readConfig(json: JsonObject) {
  const config = new ConfigReader(json);
  const size = config.integer('d_model', { least: 1 });
  const heads = (name: string) => {
    const count = config.integer(name, { least: 1 });
    return size % count === 0 ? count : fail('config.json', `d_model ${size} is not divisible by ${name} ${count}.`);
  };
  const layerDrop = ['encoder_layerdrop', 'decoder_layerdrop'].find((name) => config.rate(name, 0) > 0);
  const eosTokenId = config.integer('eos_token_id', { fallback: 2 });
  const vocabSize = config.integer('vocab_size', { least: 1 });
  const tokenId = (name: string, fallback: number) => {
    const id = config.integer(name, { fallback });
    return id < vocabSize
      ? id
      : fail('config.json', `${name} ${id} lies outside the vocabulary of ${vocabSize} tokens.`);
  };
  return {
    size,
    vocabSize,
    layerDrop,
    maxPositions: config.integer('max_position_embeddings', { least: 1 }),
    encoderLayers: config.integer('encoder_layers'),
    decoderLayers: config.integer('decoder_layers'),
    encoderHeads: heads('encoder_attention_heads'),
    decoderHeads: heads('decoder_attention_heads'),
    encoderFeedForward: config.integer('encoder_ffn_dim', { least: 1 }),
    decoderFeedForward: config.integer('decoder_ffn_dim', { least: 1 }),
    activationFunction: config.string('activation_function', 'gelu'),
    dropout: config.rate('dropout', 0.1),
    attentionDropout: config.rate('attention_dropout', 0),
    activationDropout: config.rate('activation_dropout', 0),
    initStd: config.number('init_std', 0.02),
    scaleEmbedding: config.boolean('scale_embedding', false),
    tied: config.boolean('tie_word_embeddings', true),
    padTokenId: tokenId('pad_token_id', 1),
    decoderStartTokenId: tokenId('decoder_start_token_id', eosTokenId),
  };
}

function parameters(config: BartConfig): ParameterSpec[] {
  const { size, vocabSize } = config;
  const drawn = { kind: 'normal', std: config.initStd } as const;
  const linear = (name: string, rows: number, columns: number): ParameterSpec[] => [
    { name: `${name}.weight`, shape: [rows, columns], initialization: drawn },
    { name: `${name}.bias`, shape: [rows], initialization: { kind: 'zeros' } },
  ];
  const norm = (name: string): ParameterSpec[] => [
    { name: `${name}.weight`, shape: [size], initialization: { kind: 'ones' } },
    { name: `${name}.bias`, shape: [size], initialization: { kind: 'zeros' } },
  ];
  const attention = (name: string): ParameterSpec[] =>
    ['k_proj', 'v_proj', 'q_proj', 'out_proj'].flatMap((projection) => linear(`${name}.${projection}`, size, size));
  const side = (name: 'encoder' | 'decoder', layers: number, feedForward: number): ParameterSpec[] => [
    {
      name: `model.${name}.embed_positions.weight`,
      shape: [config.maxPositions + POSITION_OFFSET, size],
      initialization: drawn,
    },
    ...Array.from({ length: layers }, (_, layer) => {
      const block = `model.${name}.layers.${layer}`;
      const cross =
        name === 'decoder' ? [...attention(`${block}.encoder_attn`), ...norm(`${block}.encoder_attn_layer_norm`)] : [];
      return [
        ...attention(`${block}.self_attn`),
        ...norm(`${block}.self_attn_layer_norm`),
        ...cross,
        ...linear(`${block}.fc1`, feedForward, size),
        ...linear(`${block}.fc2`, size, feedForward),
        ...norm(`${block}.final_layer_norm`),
      ];
    }).flat(),
    ...norm(`model.${name}.layernorm_embedding`),
  ];

  const embeddings = ['model.encoder.embed_tokens.weight', 'model.decoder.embed_tokens.weight'];
  return [
    {
      name: 'model.shared.weight',
      shape: [vocabSize, size],
      initialization: { ...drawn, zeroRow: config.padTokenId },
      aliases: [...embeddings, ...(config.tied ? ['lm_head.weight'] : [])],
      // Transformers leaves both random, without a word, when an untied checkpoint lacks them.
      copies: config.tied ? [] : embeddings,
    },
    ...side('encoder', config.encoderLayers, config.encoderFeedForward),
    ...side('decoder', config.decoderLayers, config.decoderFeedForward),
    ...(config.tied ? [] : [{ name: 'lm_head.weight', shape: [vocabSize, size], initialization: drawn }]),
    {
      name: 'final_logits_bias',
      shape: [1, vocabSize],
      initialization: { kind: 'zeros' },
      buffer: true,
      optional: true,
    },
  ];
}
