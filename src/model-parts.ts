import type { Tokenizers } from './data/index.js';
import { fail } from './errors.js';
import {
  architectureOf,
  type JsonObject,
  type ModelWeights,
  resizeWeights,
  type Seq2SeqArchitecture,
} from './models/index.js';
import type { NewSpecialTokens } from './tokenizers/index.js';

/** A model in memory with everything that belongs to it: what a directory holds. */
export interface ModelParts {
  readonly architecture: Seq2SeqArchitecture;
  readonly weights: ModelWeights;
  readonly tokenizers: Tokenizers;
  /** config.json with the caller's changes; of a generic encoder-decoder as Transformers' EncoderDecoderConfig. */
  readonly config: JsonObject;
  /** generation_config.json, where the checkpoint has one. */
  readonly generationConfig: JsonObject | undefined;
}

export interface AddedSpecialTokens {
  readonly encoder?: NewSpecialTokens | undefined;
  readonly decoder?: NewSpecialTokens | undefined;
}

/** The config of a generic encoder-decoder, from those of its halves: Transformers' EncoderDecoderConfig. */
export function joinedConfig(encoder: JsonObject, decoder: JsonObject) {
  return {
    model_type: 'encoder-decoder',
    is_encoder_decoder: true,
    encoder,
    decoder: { ...decoder, is_decoder: true, add_cross_attention: true },
  };
}

/** Changes on top of a config; those of `encoder` and `decoder` on top of these parts of it. */
export function changedConfig(config: JsonObject, changes: JsonObject): JsonObject {
  const merged: Record<string, unknown> = { ...config, ...changes };
  for (const side of ['encoder', 'decoder'] as const) {
    if (isObject(config[side]) && isObject(changes[side])) merged[side] = { ...config[side], ...changes[side] };
  }
  return merged;
}

/**
 * A generic encoder-decoder starts, ends and pads as its config says, or its decoder's, or else with the `[CLS]`, `[SEP]` and
 * `[PAD]` of the decoder's tokenizer.
 */
export function withSpecialIds(config: JsonObject, { target }: Tokenizers): JsonObject {
  if (config.model_type !== 'encoder-decoder') return config;
  const decoder = (config.decoder ?? {}) as JsonObject;
  const { cls, sep, pad } = target.special;
  const fallbacks = { decoder_start_token_id: cls, eos_token_id: sep, pad_token_id: pad };
  const ids = Object.entries(fallbacks).map(([name, id]) => [name, config[name] ?? decoder[name] ?? id]);
  return { ...config, ...Object.fromEntries(ids) };
}

/** A vocabulary that outgrows its embeddings could ask for rows that are not there. */
export function checkVocabulary({ source, target }: Tokenizers, architecture: Seq2SeqArchitecture): void {
  const sizes = [
    ['encoder', source.vocabSize, architecture.sourceVocabSize],
    ['decoder', targetSizeOf(target), architecture.vocabSize],
  ] as const;
  for (const [side, tokens, embeddings] of sizes) {
    if (tokens <= embeddings) continue;
    fail(
      'tokenizer',
      `${source === target ? 'it' : `the ${side}'s`} has ${tokens} tokens, but the model has embeddings for ${embeddings}. ` +
        'Use the tokenizer the model was trained with, or set vocab_size in the config of a fresh model.',
    );
  }
}

/** The model with further special tokens, and with embeddings for those that its vocabulary has no rows for. */
export function withSpecialTokens(parts: ModelParts, added: AddedSpecialTokens, seed: number): ModelParts {
  if (added.encoder === undefined && added.decoder === undefined) return parts;
  const { source: before, target } = parts.tokenizers;
  const source = added.encoder ? before.withAddedTokens(added.encoder) : before;
  const from = target === before ? source : target;
  const extended = added.decoder ? from.withAddedTokens(added.decoder) : from;
  // One tokenizer for both sides gets the tokens of both.
  const tokenizers = target === before ? { source: extended, target: extended } : { source, target: extended };

  const { architecture, weights, config } = parts;
  const sourceSize = Math.max(tokenizers.source.vocabSize, architecture.sourceVocabSize);
  const targetSize = Math.max(targetSizeOf(tokenizers.target), architecture.vocabSize);
  if (sourceSize === architecture.sourceVocabSize && targetSize === architecture.vocabSize) {
    return { ...parts, tokenizers };
  }
  const resized = withVocabularySizes(config, sourceSize, targetSize);
  if (weights.bits !== 32) {
    fail('model', 'a quantized model takes no further tokens. Add them to the model that it was made from.');
  }
  const larger = architectureOf(resized, architecture.type);
  return {
    ...parts,
    tokenizers,
    config: resized,
    architecture: larger,
    weights: resizeWeights(weights, larger.parameters, seed),
  };
}

/** The tokens of the side that answers: a Marian with separate vocabularies has one tokenizer for both. */
export function targetSizeOf({ targetVocabSize, vocabSize }: Tokenizers['target']): number {
  return targetVocabSize ?? vocabSize;
}

/** The config of a model whose sides have vocabularies of these sizes. */
export function withVocabularySizes(config: JsonObject, source: number, target: number): JsonObject {
  if (config.model_type === 'encoder-decoder') {
    return changedConfig(config, { encoder: { vocab_size: source }, decoder: { vocab_size: target } });
  }
  const separate = config.share_encoder_decoder_embeddings === false;
  return separate
    ? { ...config, vocab_size: source, decoder_vocab_size: target }
    : {
        ...config,
        vocab_size: Math.max(source, target),
        ...(config.decoder_vocab_size != null && { decoder_vocab_size: Math.max(source, target) }),
      };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
