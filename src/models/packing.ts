import { type Dim, input, type TensorData, type Value } from '../graph/index.js';

/**
 * A batch of token sequences without padding: the tokens of all sequences one after the other as rows, and the rectangle
 * [batch, length] over which attention works. Everything token-wise sees rows only.
 */
export interface PackedLayout {
  readonly batch: Dim;
  readonly length: Dim;
  readonly tokens: Dim;
  /** [batch·length] For each place of the rectangle its row; `tokens` marks padding. */
  readonly padIndex: Value;
  /** [tokens] For each row its place in the rectangle. */
  readonly packIndex: Value;
}

/** One side's tokens as inputs of a graph. */
export interface PackedInput {
  /** [tokens] int32 */
  readonly ids: Value;
  /** [tokens] int32: the place of each token in its sequence, from 0, unless the architecture counts otherwise. */
  readonly positions: Value;
  readonly layout: PackedLayout;
}

type Side = 'source' | 'target';

/** Arrays for the inputs of a graph, by name. */
export type Feeds = Record<string, { readonly data: TensorData; readonly shape: readonly number[] }>;

/** Added to the attention scores of what must not be seen: far below any score, so that its softmax is exactly 0. */
export const MASKED = -1e9;

/** Declares the inputs `<side>.ids`, `.positions`, `.padIndex` and `.packIndex`. */
export function packedInput(side: Side): PackedInput {
  const [length, tokens] = [`${side}Length`, `${side}Tokens`];
  const perToken = (name: string) => input(`${side}.${name}`, 'int32', [tokens]);
  const padIndex = input(`${side}.padIndex`, 'int32', [`batch*${length}`]);
  const layout = { batch: 'batch', length, tokens, padIndex, packIndex: perToken('packIndex') };
  return { ids: perToken('ids'), positions: perToken('positions'), layout };
}

/** [batch, 1, 1, sourceLength]: added to the scores of attention over the source, to hide padding. */
export const sourceBias = (): Value => input('source.bias', 'float32', ['batch', 1, 1, 'sourceLength']);

/** [targetLength, targetLength]: added to the scores of attention within the target, to hide what comes later. */
export const causalBias = (): Value => input('target.causalBias', 'float32', ['targetLength', 'targetLength']);

/** Fills what {@link packedInput} and {@link sourceBias} declare. */
export function packSource(
  sequences: readonly Int32Array[],
  positionsOf?: (sequence: Int32Array) => Int32Array,
): Feeds {
  const { feeds, length } = pack('source', sequences, positionsOf);
  const bias = new Float32Array(sequences.length * length);
  for (const [item, sequence] of sequences.entries())
    bias.fill(MASKED, item * length + sequence.length, (item + 1) * length);
  feeds['source.bias'] = { data: bias, shape: [sequences.length, 1, 1, length] };
  return feeds;
}

/** Fills what {@link packedInput} and {@link causalBias} declare. */
export function packTarget(sequences: readonly Int32Array[]): Feeds {
  const { feeds, length } = pack('target', sequences);
  const bias = new Float32Array(length * length);
  for (let position = 0; position < length; position++) {
    bias.fill(MASKED, position * length + position + 1, (position + 1) * length);
  }
  feeds['target.causalBias'] = { data: bias, shape: [length, length] };
  return feeds;
}

function pack(
  side: Side,
  sequences: readonly Int32Array[],
  positionsOf: (sequence: Int32Array) => Int32Array = (sequence) => sequence.map((_, place) => place),
): { feeds: Feeds; length: number } {
  const batch = sequences.length;
  const length = Math.max(...sequences.map((sequence) => sequence.length));
  const tokens = sequences.reduce((total, sequence) => total + sequence.length, 0);
  const ids = new Int32Array(tokens);
  const positions = new Int32Array(tokens);
  const packIndex = new Int32Array(tokens);
  const padIndex = new Int32Array(batch * length).fill(tokens);
  let row = 0;
  for (const [item, sequence] of sequences.entries()) {
    ids.set(sequence, row);
    positions.set(positionsOf(sequence), row);
    for (let place = 0; place < sequence.length; place++, row++) {
      packIndex[row] = item * length + place;
      padIndex[item * length + place] = row;
    }
  }
  const perToken = (data: Int32Array) => ({ data, shape: [tokens] });
  const feeds: Feeds = {
    [`${side}.ids`]: perToken(ids),
    [`${side}.positions`]: perToken(positions),
    [`${side}.packIndex`]: perToken(packIndex),
    [`${side}.padIndex`]: { data: padIndex, shape: [batch * length] },
  };
  return { feeds, length };
}
