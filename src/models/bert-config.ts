import { fail } from '../errors.js';
import { activation } from './activations.js';
import type { ConfigReader } from './config.js';

/** The names of a layer's parts in a checkpoint, behind `<layers>.<number>.`. */
export interface LayerNames {
  readonly attention: AttentionNames;
  readonly intermediate: string;
  readonly output: string;
  readonly outputNorm: string;
}

export interface AttentionNames {
  readonly query: string;
  readonly key: string;
  readonly value: string;
  readonly output: string;
  readonly norm: string;
}

/** What tells the descendants of BERT from one another. */
export interface BertFamily {
  /** Transformers' class of the bare encoder, and the prefix its weights have inside a model with a head. */
  readonly className: string;
  readonly basePrefix: string;
  readonly layers: string;
  readonly names: LayerNames;
  /** What config.json calls a size or rate. */
  readonly fields: BertFields;
  /** Where config.json says nothing. */
  readonly padTokenId: number;
  /** The default width of the embeddings, where they may be narrower than the layers. */
  readonly embeddingSize?: number;
  /** Whether tokens carry the embedding of their segment, which for a lone text is segment 0. */
  readonly hasSegments: boolean;
  /** fairseq's way: positions are counted over real tokens from behind the padding's id on. */
  readonly positionsBehindPadding: boolean;
  readonly hasPooler: boolean;
  /** Whether the output of attention is dropped out, as all else is. */
  readonly dropsAttentionOutput: boolean;
}

export interface BertFields {
  readonly size: string;
  readonly layers: string;
  readonly heads: string;
  readonly feedForward: string;
  readonly activation: string;
  readonly dropout: string;
  readonly attentionDropout: string;
  /** Of layer norms; absent where it is always 1e-12. */
  readonly epsilon?: string;
}

export type BertConfig = ReturnType<typeof readBertConfig>;

/** The fields of a BERT's config with Transformers' defaults; sizes have none, since a wrong guess would only fail later. */
export function readBertConfig(config: ConfigReader, family: BertFamily) {
  const { fields } = family;
  const refuse = (name: string, problem: string) => fail('config.json', `${config.path(name)} ${problem}`);
  const size = config.integer(fields.size, { least: 1 });
  const heads = config.integer(fields.heads, { least: 1 });
  if (size % heads !== 0) refuse(fields.size, `${size} is not divisible by ${config.path(fields.heads)} ${heads}.`);
  const positionType = config.string('position_embedding_type', 'absolute');
  if (positionType !== 'absolute') {
    refuse(
      'position_embedding_type',
      `is "${positionType}"; only absolute positions are supported. Use another checkpoint.`,
    );
  }
  const vocabSize = config.integer('vocab_size', { least: 1 });
  const padTokenId = config.tokenId('pad_token_id', vocabSize, family.padTokenId);
  const positions = config.integer('max_position_embeddings', { least: 1 });
  const firstPosition = family.positionsBehindPadding ? padTokenId + 1 : 0;
  if (positions <= firstPosition) {
    refuse(
      'max_position_embeddings',
      `${positions} leaves no position: they begin at ${firstPosition}, behind pad_token_id.`,
    );
  }
  return {
    family,
    size,
    heads,
    vocabSize,
    padTokenId,
    positions,
    /** The longest text. */
    maxLength: positions - firstPosition,
    embeddingSize: family.embeddingSize
      ? config.integer('embedding_size', { fallback: family.embeddingSize, least: 1 })
      : size,
    segments: family.hasSegments ? config.integer('type_vocab_size', { fallback: 2, least: 1 }) : 0,
    layers: config.integer(fields.layers),
    feedForward: config.integer(fields.feedForward, { least: 1 }),
    act: activation(config.string(fields.activation, 'gelu'), config.path(fields.activation)),
    epsilon: fields.epsilon ? config.number(fields.epsilon, 1e-12) : 1e-12,
    dropout: config.rate(fields.dropout, 0.1),
    attentionDropout: config.rate(fields.attentionDropout, 0.1),
    drawn: { kind: 'normal', std: config.number('initializer_range', 0.02) },
    tied: config.boolean('tie_word_embeddings', true),
  } as const;
}
