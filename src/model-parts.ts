import type { Tokenizers } from './data/index.js';
import { fail } from './errors.js';
import {
  architectureOf,
  type JsonObject,
  type ModelWeights,
  resizeWeights,
  type Seq2SeqArchitecture,
} from './models/index.js';
import { pick } from './pick.js';
import type { Retriever } from './rag/index.js';
import type { NewSpecialTokens } from './tokenizers/index.js';
import type { FindDocuments } from './training/index.js';

/** A model in memory with everything that belongs to it: what a directory holds. */
export interface ModelParts {
  readonly architecture: Seq2SeqArchitecture;
  readonly weights: ModelWeights;
  readonly tokenizers: Tokenizers;
  /** config.json with the caller's changes; of a generic encoder-decoder as Transformers' EncoderDecoderConfig. */
  readonly config: JsonObject;
  /** generation_config.json, where the checkpoint has one. */
  readonly generationConfig: JsonObject | undefined;
  /** Of a model that looks documents up: where it does. */
  readonly retriever?: Retriever | undefined;
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

/** The config of a RAG, from those of its parts: Transformers' RagConfig, whose defaults it states where others read them. */
export function joinedRagConfig(questionEncoder: JsonObject, generator: JsonObject): JsonObject {
  const ids = ['bos_token_id', 'eos_token_id', 'pad_token_id', 'decoder_start_token_id', 'forced_eos_token_id'];
  return {
    model_type: 'rag',
    is_encoder_decoder: true,
    ...pick(generator, ...ids),
    title_sep: ' / ',
    doc_sep: ' // ',
    n_docs: 5,
    max_combined_length: Math.min(300, Number(generator.max_position_embeddings ?? 300)),
    retrieval_vector_size: questionEncoder.projection_dim || questionEncoder.hidden_size,
    retrieval_batch_size: 8,
    index_name: 'custom',
    do_deduplication: true,
    exclude_bos_score: false,
    reduce_loss: false,
    label_smoothing: 0,
    question_encoder: questionEncoder,
    generator,
  };
}

/** Changes on top of a config; those of a part, such as `encoder`, on top of that part of it. */
export function changedConfig(config: JsonObject, changes: JsonObject): JsonObject {
  const merged: Record<string, unknown> = { ...config, ...changes };
  for (const side of ['encoder', 'decoder', 'question_encoder', 'generator'] as const) {
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

export function requireTrainable({ weights, architecture: { untrainable } }: ModelParts): void {
  if (weights.bits !== 32) {
    fail(
      'model',
      'it is quantized, and learns no more. Train the model that it was made from, and quantize the result.',
    );
  }
  if (untrainable !== undefined) fail('config.json', untrainable);
}

/** Where a model looks documents up; one that does, but was given nowhere, is an error. */
export function retrieverOf({ retriever, architecture }: ModelParts): Retriever {
  return (
    retriever ??
    fail('knowledge', `a ${architecture.type} looks documents up, but was given none. Set knowledgeDataset.`)
  );
}

/** How training and evaluation look documents up, if the model does. */
export function findDocumentsOf(parts: ModelParts): FindDocuments | undefined {
  return parts.architecture.retrieval && ((questions) => retrieverOf(parts).find(questions));
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
  if (config.model_type === 'rag') {
    return changedConfig(config, { question_encoder: { vocab_size: source }, generator: { vocab_size: target } });
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
