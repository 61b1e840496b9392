import { fail } from '../errors.js';
import type { Seq2SeqArchitecture, TaughtTarget } from './architecture.js';
import { ConfigReader, type JsonObject } from './config.js';

export type Side = 'encoder' | 'decoder';

/** What tells BART and its relatives apart. */
export interface BartTraits {
  readonly type: string;
  /** Transformers' class of it. */
  readonly className: string;
  /** Sinusoids are fixed; learned positions begin at a row of their table that is not the first. */
  readonly positions: { readonly kind: 'sinusoidal' } | { readonly kind: 'learned'; readonly offset: number };
  readonly normalizesEmbeddings: boolean;
  /** Where a sublayer is normalised: `before` it, with a norm behind the last one, or `after` it and its residual. */
  readonly norm: 'before' | 'after';
  /** What Transformers' configuration class assumes where config.json is silent; special ids among it. */
  readonly generationDefaults: JsonObject;
  readonly languageCode?: Seq2SeqArchitecture['languageCode'];
  teach(labels: Int32Array, config: BartConfig): TaughtTarget;
}

export type BartConfig = ReturnType<typeof readBartConfig>;

/** The fields of config.json with Transformers' defaults; sizes have none, since a wrong guess would only fail later. */
export function readBartConfig(json: JsonObject, { generationDefaults }: BartTraits) {
  const config = new ConfigReader(json);
  const bySide = <T>(read: (side: Side) => T): Readonly<Record<Side, T>> => ({
    encoder: read('encoder'),
    decoder: read('decoder'),
  });

  const size = config.integer('d_model', { least: 1 });
  const heads = (name: string) => {
    const count = config.integer(name, { least: 1 });
    return size % count === 0 ? count : fail('config.json', `d_model ${size} is not divisible by ${name} ${count}.`);
  };

  // Only Marian has embeddings for each side; its encoder's vocabulary is `vocab_size`.
  const shared = config.boolean('share_encoder_decoder_embeddings', true);
  const vocabSize = config.integer('vocab_size', { least: 1 });
  const vocabSizes = {
    encoder: vocabSize,
    decoder: shared ? vocabSize : config.integer('decoder_vocab_size', { fallback: vocabSize, least: 1 }),
  };
  const tokenId = (name: string, ...sides: Side[]) => {
    const id = config.integer(name, { fallback: Number(generationDefaults[name]) });
    const outside = sides.map((side) => vocabSizes[side]).find((count) => id >= count);
    return outside === undefined
      ? id
      : fail('config.json', `${name} ${id} lies outside the vocabulary of ${outside} tokens.`);
  };

  const tied = config.boolean('tie_word_embeddings', true);
  const embeddings = bySide((side) => (shared ? 'model.shared.weight' : `model.${side}.embed_tokens.weight`));
  return {
    size,
    vocabSizes,
    /** The weights' names; both sides may have the same, and a tied head that of the decoder. */
    embeddings,
    head: tied ? embeddings.decoder : 'lm_head.weight',
    shared,
    tied,
    layerDrop: ['encoder_layerdrop', 'decoder_layerdrop'].find((name) => config.rate(name, 0) > 0),
    maxPositions: config.integer('max_position_embeddings', { least: 1 }),
    layers: bySide((side) => config.integer(`${side}_layers`)),
    heads: bySide((side) => heads(`${side}_attention_heads`)),
    feedForward: bySide((side) => config.integer(`${side}_ffn_dim`, { least: 1 })),
    activationFunction: config.string('activation_function', 'gelu'),
    dropout: config.rate('dropout', 0.1),
    attentionDropout: config.rate('attention_dropout', 0),
    activationDropout: config.rate('activation_dropout', 0),
    initStd: config.number('init_std', 0.02),
    scaleEmbedding: config.boolean('scale_embedding', false),
    padTokenId: tokenId('pad_token_id', 'encoder', 'decoder'),
    /** Without a meaning where a target's own language code comes first. */
    decoderStartTokenId:
      generationDefaults.decoder_start_token_id === undefined
        ? undefined
        : tokenId('decoder_start_token_id', 'decoder'),
  };
}
