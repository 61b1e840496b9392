import { fail } from '../errors.js';
import type { DecoderInput, EncoderInput, ModelPart, Seq2SeqArchitecture } from './architecture.js';
import {
  type BertConfig,
  bertEncoder,
  bertPositions,
  bertSpecs,
  linearSpecs,
  prefixed,
  readBertConfig,
} from './bert.js';
import { bertCrossAttention, bertDecoder, bertDecoderSpecs, bertHead } from './bert-decoder.js';
import type { Builder, ParameterSpec } from './builder.js';
import { ConfigReader, type JsonObject } from './config.js';
import { bert, encoders } from './encoders.js';

/** An encoder of the BERT family and a BERT that decodes (Rothe et al. 2020): Transformers' `EncoderDecoderModel`. */
export function encoderDecoder(json: JsonObject, type: string): Seq2SeqArchitecture {
  const { encoder, decoder, projects } = readConfig(json);
  const padTokenId = new ConfigReader(json).integer('pad_token_id', { fallback: decoder.padTokenId });
  const sourcePositions = bertPositions(encoder);
  return {
    type,
    parts: projects ? [whole] : parts(encoder),
    sourceVocabSize: encoder.vocabSize,
    vocabSize: decoder.vocabSize,
    layers: decoder.layers,
    decoderAttention: {
      heads: decoder.heads,
      headSize: decoder.size / decoder.heads,
      dropout: decoder.attentionDropout,
    },
    maxSourceLength: encoder.maxLength,
    maxTargetLength: decoder.maxLength,
    padTokenId,
    // A target is `[CLS] … [SEP]`: the decoder reads all but the end and answers all but the start.
    teach: (target) => ({ decoderInput: target.subarray(0, -1), labels: target.subarray(1) }),
    ...(sourcePositions && { sourcePositions }),
    generationDefaults: { pad_token_id: padTokenId },
    parameters: parameters(encoder, decoder, projects),
    head: bertHead('decoder', decoder),
    crossAttention: (m, layer, encoded) => bertCrossAttention(m.at('decoder'), decoder, layer, encoded),

    encoder(m: Builder, input: EncoderInput) {
      const encoded = m.within('encoder', (part) => bertEncoder(part, encoder, input));
      return projects ? m.linear(encoded, PROJECTION) : encoded;
    },

    decoder: (m: Builder, input: DecoderInput) => m.within('decoder', (part) => bertDecoder(part, decoder, input)),
  };
}

/** Brings the encoder's output to the decoder's width. */
const PROJECTION = 'enc_to_dec_proj';

const whole: ModelPart = { folder: '', prefix: '', className: 'EncoderDecoderModel' };

/** A projection belongs to neither folder, so a model with one is a single file. */
function parts({ family }: BertConfig): ModelPart[] {
  return [
    { folder: 'encoder', prefix: 'encoder.', basePrefix: family.basePrefix, className: family.className },
    { folder: 'decoder', prefix: 'decoder.', basePrefix: bert.basePrefix, className: 'BertLMHeadModel' },
  ];
}

function readConfig(json: JsonObject) {
  const whole = new ConfigReader(json);
  if (whole.boolean('tie_encoder_decoder', false)) {
    fail(
      'config.json',
      'tie_encoder_decoder is true, which is not supported. Load a model whose sides have weights of their own.',
    );
  }
  const section = (side: 'encoder' | 'decoder', families: Readonly<Record<string, typeof bert>>) => {
    const part = json[side];
    if (typeof part !== 'object' || part === null) {
      return fail('config.json', `"${side}" is missing. Add the config of the ${side}, or load a complete checkpoint.`);
    }
    const { model_type } = part as JsonObject;
    const family = Object.hasOwn(families, String(model_type)) ? families[String(model_type)] : undefined;
    return family
      ? readBertConfig(part as JsonObject, family, side)
      : fail(
          'config.json',
          `${side}.model_type "${model_type}" is not supported; supported are: ${Object.keys(families).join(', ')}.`,
        );
  };
  const encoder = section('encoder', encoders);
  const decoder = section('decoder', { bert });
  const crossSize = new ConfigReader(json.decoder as JsonObject, 'decoder.').optionalInteger(
    'cross_attention_hidden_size',
  );
  // Transformers' BERT has no keys and values of another width than its own.
  if (crossSize !== undefined && (crossSize !== encoder.size || crossSize !== decoder.size)) {
    fail(
      'config.json',
      `decoder.cross_attention_hidden_size is ${crossSize}, the encoder ${encoder.size} wide and the decoder ${decoder.size}: ` +
        'all must be the same. Remove it for a projection between them.',
    );
  }
  return { encoder, decoder, projects: encoder.size !== decoder.size };
}

function parameters(encoder: BertConfig, decoder: BertConfig, projects: boolean): ParameterSpec[] {
  // Kept for those who need it, never run: many checkpoints lack it, and nothing trains it.
  const pooler = linearSpecs('pooler.dense', encoder.size, encoder.size, encoder).map((spec) => ({
    ...spec,
    buffer: true,
    optional: true,
  }));
  return [
    ...prefixed('encoder', [...bertSpecs(encoder), ...(encoder.family.hasPooler ? pooler : [])]),
    ...(projects ? linearSpecs(PROJECTION, decoder.size, encoder.size, decoder) : []),
    ...prefixed('decoder', bertDecoderSpecs(decoder)),
  ];
}
