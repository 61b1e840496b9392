import { fail } from '../errors.js';
import { add, gather, slice, type Value } from '../graph/index.js';
import { activation } from './activations.js';
import type { EncoderInput } from './architecture.js';
import { mergeHeads, scaledDotProductAttention, splitHeads } from './attention.js';
import type { Builder, ParameterSpec } from './builder.js';
import type { ConfigReader } from './config.js';
import type { PackedInput } from './packing.js';

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

/** [tokens, size]: the sum of word, segment and position embeddings, normalised, and projected where they are narrower. */
export function embed(m: Builder, config: BertConfig, { ids, positions }: Omit<PackedInput, 'layout'>): Value {
  const part = m.at('embeddings');
  const words = gather(part.parameter('word_embeddings.weight'), ids);
  const segment0 = config.segments > 0 && slice(part.parameter('token_type_embeddings.weight'), 0, 0, 1);
  const placed = add(
    segment0 ? add(words, segment0) : words,
    gather(part.parameter('position_embeddings.weight'), positions),
  );
  const embedded = part.dropout(part.layerNorm(placed, 'LayerNorm', config.epsilon), config.dropout, 'dropout');
  return config.embeddingSize === config.size ? embedded : m.linear(embedded, 'embeddings_project');
}

/** Every sublayer ends alike: LayerNorm(x + Dropout(W·inner + b)). */
function residual(
  m: Builder,
  x: Value,
  inner: Value,
  names: { readonly output: string; readonly norm: string },
  { epsilon }: BertConfig,
  dropout: number,
): Value {
  const sublayer = m.dropout(m.linear(inner, names.output), dropout, `${names.output}.dropout`);
  return m.layerNorm(add(x, sublayer), names.norm, epsilon);
}

/** Attention with its residual; `attend` projects x as it needs and returns the attended values, all as rows. */
export function attentionSublayer(
  m: Builder,
  config: BertConfig,
  names: AttentionNames,
  x: Value,
  attend: (project: (name: 'query' | 'key' | 'value') => Value) => Value,
): Value {
  const attended = attend((name) => m.linear(x, names[name]));
  return residual(m, x, attended, names, config, config.family.dropsAttentionOutput ? config.dropout : 0);
}

export function feedForwardSublayer(m: Builder, config: BertConfig, x: Value): Value {
  const { intermediate, output, outputNorm: norm } = config.family.names;
  return residual(m, x, config.act(m.linear(x, intermediate)), { output, norm }, config, config.dropout);
}

/** The encoder under `m`: [tokens, size]. */
export function bertEncoder(m: Builder, config: BertConfig, { ids, positions, layout, bias }: EncoderInput): Value {
  const { layers, names } = config.family;
  let x = embed(m, config, { ids, positions });
  for (let layer = 0; layer < config.layers; layer++) {
    x = m.within(`${layers}.${layer}`, (block) => {
      const attended = attentionSublayer(block, config, names.attention, x, (project) => {
        const heads = (name: 'query' | 'key' | 'value') => splitHeads(project(name), config.heads, layout);
        const [q, k, v] = [heads('query'), heads('key'), heads('value')];
        return mergeHeads(scaledDotProductAttention(block, q, k, v, bias, config.attentionDropout), layout);
      });
      return feedForwardSublayer(block, config, attended);
    });
  }
  return x;
}

/** The place of each token, or fairseq's count: padding stays at its id, the others go on from it. */
export function bertPositions({ family, padTokenId }: BertConfig): ((ids: Int32Array) => Int32Array) | undefined {
  if (!family.positionsBehindPadding) return undefined;
  return (ids) => {
    let position = padTokenId;
    return ids.map((id) => (id === padTokenId ? padTokenId : ++position));
  };
}

/** W and b of a projection. */
export function linearSpecs(name: string, rows: number, columns: number, { drawn }: BertConfig): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [rows, columns], initialization: drawn },
    { name: `${name}.bias`, shape: [rows], initialization: { kind: 'zeros' } },
  ];
}

export function normSpecs(name: string, size: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [size], initialization: { kind: 'ones' } },
    { name: `${name}.bias`, shape: [size], initialization: { kind: 'zeros' } },
  ];
}

export function attentionSpecs(names: AttentionNames, config: BertConfig): ParameterSpec[] {
  const { size } = config;
  const projections = [names.query, names.key, names.value, names.output];
  return [...projections.flatMap((name) => linearSpecs(name, size, size, config)), ...normSpecs(names.norm, size)];
}

/**
 * The arrays of a BERT.
 * @param inLayer those that a layer has besides
 */
export function bertSpecs(config: BertConfig, inLayer: readonly ParameterSpec[] = []): ParameterSpec[] {
  const { family, drawn, embeddingSize, size } = config;
  const table = (name: string, rows: number, zeroRow?: number): ParameterSpec => ({
    name: `embeddings.${name}.weight`,
    shape: [rows, embeddingSize],
    initialization: zeroRow === undefined ? drawn : { ...drawn, zeroRow },
  });
  const layer = [
    ...attentionSpecs(family.names.attention, config),
    ...inLayer,
    ...linearSpecs(family.names.intermediate, config.feedForward, size, config),
    ...linearSpecs(family.names.output, size, config.feedForward, config),
    ...normSpecs(family.names.outputNorm, size),
  ];
  return [
    table('word_embeddings', config.vocabSize, config.padTokenId),
    table('position_embeddings', config.positions, family.positionsBehindPadding ? config.padTokenId : undefined),
    ...(family.hasSegments ? [table('token_type_embeddings', config.segments)] : []),
    ...normSpecs('embeddings.LayerNorm', embeddingSize),
    ...(embeddingSize === size ? [] : linearSpecs('embeddings_project', size, embeddingSize, config)),
    ...Array.from({ length: config.layers }, (_, index) => prefixed(`${family.layers}.${index}`, layer)).flat(),
  ];
}

export function prefixed(prefix: string, specs: readonly ParameterSpec[]): ParameterSpec[] {
  return specs.map((spec) => ({
    ...spec,
    name: `${prefix}.${spec.name}`,
    ...(spec.aliases && { aliases: spec.aliases.map((alias) => `${prefix}.${alias}`) }),
  }));
}
