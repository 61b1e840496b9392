import type { Value } from '../graph/index.js';
import type { AttentionShape, DecoderAttention } from './attention.js';
import type { Builder, ParameterSpec } from './builder.js';
import type { JsonObject } from './config.js';
import type { PackedInput } from './packing.js';

/** The encoder's input: packed tokens, and what hides padding from attention. */
export interface EncoderInput extends PackedInput {
  /** [batch, 1, 1, length]: 0 for real tokens, very low for padding. */
  readonly bias: Value;
}

/** The decoder's input: rows of token ids, their positions, and the attention that connects them to the rest. */
export interface DecoderInput {
  readonly ids: Value;
  readonly positions: Value;
  readonly attention: DecoderAttention;
  /** [source tokens, size]: the encoder's output rows; absent when keys and values come from a cache. */
  readonly encoded?: Value;
}

/**
 * A sequence-to-sequence architecture with its sizes filled in. This is all the rest of the package needs of a model:
 * training builds its loss, and generation its step, out of `encoder`, `decoder` and the output projection.
 */
export interface Seq2SeqArchitecture {
  /** `model_type` of config.json. */
  readonly modelType: string;
  /** Transformers' class, as config.json's `architectures` names it. */
  readonly className: string;
  readonly vocabSize: number;
  readonly layers: number;
  /** The decoder's attention: heads, their size, and dropout on the probabilities. */
  readonly decoderAttention: AttentionShape & { readonly headSize: number };
  /** Why a model of this config cannot be trained, if so, and what to do. */
  readonly untrainable?: string;
  /** The longest source and target the positions allow. */
  readonly maxSourceLength: number;
  readonly maxTargetLength: number;
  readonly padTokenId: number;
  /** The token a decoder starts from, in training and in generation. */
  readonly decoderStartTokenId: number;
  /** Every array of the model, in the checkpoint's order. */
  readonly parameters: readonly ParameterSpec[];
  /** [tokens, size] */
  encoder(m: Builder, input: EncoderInput): Value;
  /** [rows, size] */
  decoder(m: Builder, input: DecoderInput): Value;
  /** The keys and values of every decoder layer's cross-attention, as rows. */
  crossAttention(m: Builder, layer: number, encoded: Value): { k: Value; v: Value };
  /** What Transformers' configuration class assumes for generation where config.json is silent. */
  readonly generationDefaults: JsonObject;
  /** The vocabulary projection: logits = hidden·weightᵀ + bias. */
  readonly head: { readonly weight: string; readonly bias?: string };
}
