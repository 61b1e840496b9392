import type { Value } from '../graph/index.js';
import type { AttentionShape, DecoderAttention } from './attention.js';
import type { Builder, ParameterSpec } from './builder.js';
import type { JsonObject } from './config.js';
import type { PackedInput, TextInput } from './packing.js';

/** The encoder's input: packed tokens, and what hides padding from attention. */
export interface EncoderInput extends PackedInput {
  /** Of each rectangle [batch, 1, 1, length]: 0 for real tokens, very low for padding. */
  readonly biases: readonly Value[];
}

/** The decoder's input: rows of token ids, their positions, and the attention that connects them to the rest. */
export interface DecoderInput {
  readonly ids: Value;
  readonly positions: Value;
  readonly attention: DecoderAttention;
  /** [source tokens, size]: the encoder's output rows; absent when keys and values come from a cache. */
  readonly encoded?: Value;
}

/** What training makes of one target. */
export interface TaughtTarget {
  /** What the decoder reads. */
  readonly decoderInput: Int32Array;
  /** What it should answer at each place. */
  readonly labels: Int32Array;
}

/** A part of a model that has weights and a tokenizer of its own in a directory, or in a folder of it. */
export interface ModelPart {
  /** The folder; empty for the directory itself. */
  readonly folder: '' | 'encoder' | 'decoder' | 'question_encoder' | 'generator';
  /** What the part's weights are called here before their name in the checkpoint. */
  readonly prefix: string;
  /** Transformers' prefix of the base model (`bert.`), which a checkpoint's names have or lack. */
  readonly basePrefix?: string;
  /** Transformers' class, as the part's config.json names it under `architectures`. */
  readonly className: string;
}

/**
 * A sequence-to-sequence architecture with its sizes filled in. This is all the rest of the package needs of a model:
 * training builds its loss, and generation its step, out of `encoder`, `decoder` and the output projection.
 */
export interface Seq2SeqArchitecture {
  /** The type as users name it: `bart`, `mbart50`, or for the generic encoder-decoders the encoder's, `bert`. */
  readonly type: string;
  /** Where its weights lie in a checkpoint. */
  readonly parts: readonly ModelPart[];
  /** Checkpoints of other models that it can be put together from, where those are not its parts. */
  readonly sources?: readonly ModelPart[];
  readonly sourceVocabSize: number;
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
  /** Decoder input and labels for a target's tokens, which the tokenizer gave with all special tokens. */
  teach(target: Int32Array): TaughtTarget;
  /**
   * The id of padding where a source's positions are counted fairseq's way: padding stands at its own id, and real tokens
   * are numbered on from there. Undefined: a token's position is its place.
   */
  readonly countedBehind?: number;
  /** Where a target's language code stands in generation, for models that are told the language by one. */
  readonly languageCode?: 'decoderStartTokenId' | 'forcedBosTokenId';
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
  /** The vocabulary projection: logits = hidden·weightᵀ + bias; the bias has the vocabulary's size, in whatever shape. */
  readonly head: { readonly weight: string; readonly bias?: string };
  /** Of a model that looks documents up before it answers. Sources are then the questions. */
  readonly retrieval?: Retrieval;
}

/** Whether documents are weighed at every token of an answer, or once for the whole of it. */
export type RagKind = 'token' | 'sequence';

/** What a model that answers with the help of documents has beyond other models; names as in Transformers' RagConfig. */
export interface Retrieval {
  readonly kind: RagKind;
  /** Reads a document and the question, and answers. */
  readonly generator: Seq2SeqArchitecture;
  /** Of the vectors of questions and documents. */
  readonly size: number;
  /** `n_docs`: documents for each question. */
  readonly documents: number;
  /** `title_sep` and `doc_sep`: between title and text, and between text and question. */
  readonly titleSeparator: string;
  readonly documentSeparator: string;
  /** Before the title. */
  readonly prefix: string;
  /** `max_combined_length`: tokens of a document with its question, at most. */
  readonly maxCombinedLength: number;
  /** `exclude_bos_score`: in the loss of rag-sequence, where every target begins with two start tokens. */
  readonly excludesBosScore: boolean;
  /** `do_deduplication`: rag-sequence scores an answer that several documents give once. */
  readonly deduplicates: boolean;
  /** `label_smoothing`, where the options say nothing of it. */
  readonly labelSmoothing: number;
  readonly bosTokenId: number;
  /** [questions, size] */
  encodeQuestions(m: Builder, input: TextInput): Value;
}
