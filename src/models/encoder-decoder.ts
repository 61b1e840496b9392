import { fail } from '../errors.js';
import type { DecoderInput, EncoderInput, ModelPart, Seq2SeqArchitecture } from './architecture.js';
import { bertEncoder } from './bert.js';
import { type BertConfig, type BertFamily, readBertConfig } from './bert-config.js';
import { bertCrossAttention, bertDecoder, bertDecoderSpecs, bertHead } from './bert-decoder.js';
import { bertSpecs, linearSpecs, prefixed } from './bert-parameters.js';
import type { Builder, ParameterSpec } from './builder.js';
import { ConfigReader, type JsonObject } from './config.js';
import { bert, encoders } from './encoders.js';
import { behindItself } from './targets.js';

/** An encoder of the BERT family and a BERT that decodes (Rothe et al. 2020): Transformers' `EncoderDecoderModel`. */
export function encoderDecoder(json: JsonObject, type: string): Seq2SeqArchitecture {
  const { encoder, decoder, padTokenId, projects } = readConfig(json);
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
    teach: behindItself,
    ...(encoder.family.positionsBehindPadding && { countedBehind: encoder.padTokenId }),
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
  const config = new ConfigReader(json);
  if (config.boolean('tie_encoder_decoder', false)) {
    fail(
      'config.json',
      'tie_encoder_decoder is true, which is not supported. Load a model whose sides have weights of their own.',
    );
  }
  const side = (name: 'encoder' | 'decoder', families: Readonly<Record<string, BertFamily>>) => {
    const section = config.section(name);
    const type = section.string('model_type');
    const family = Object.hasOwn(families, type) ? families[type] : undefined;
    if (family) return readBertConfig(section, family);
    const known = Object.keys(families).join(', ');
    return fail('config.json', `${name}.model_type "${type}" is not supported; supported are: ${known}.`);
  };
  const encoder = side('encoder', encoders);
  const decoder = side('decoder', { bert });
  const crossSize = config.section('decoder').optionalInteger('cross_attention_hidden_size');
  // Transformers' BERT has no keys and values of another width than its own.
  if (crossSize !== undefined && (crossSize !== encoder.size || crossSize !== decoder.size)) {
    fail(
      'config.json',
      `decoder.cross_attention_hidden_size is ${crossSize}, the encoder ${encoder.size} wide and the decoder ${decoder.size}: ` +
        'all must be the same. Remove it for a projection between them.',
    );
  }
  const padTokenId = config.tokenId('pad_token_id', decoder.vocabSize, decoder.padTokenId);
  return { encoder, decoder, padTokenId, projects: encoder.size !== decoder.size };
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
