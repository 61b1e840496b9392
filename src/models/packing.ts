import { type Dim, input, product, type TensorData, type Value } from '../graph/index.js';

/** Sequences side by side, as long as the longest: what attention works over. */
export interface Rectangle {
  readonly batch: Dim;
  readonly length: Dim;
  /** Where rows lie in it; undefined where the rows are its places, padding included. */
  readonly places?: RectanglePlaces;
}

export interface RectanglePlaces {
  /** [batch·length] For each place its row; the number of rows marks padding. */
  readonly padIndex: Value;
  /** [tokens] For each row its place; where other rectangles have it, batch·length. */
  readonly packIndex: Value;
  /** Whether all rows are in it. */
  readonly isOnly: boolean;
}

/**
 * A batch of token sequences without padding: the tokens of all sequences one after the other as rows, which is what everything
 * token-wise sees. For attention they are laid out in one rectangle, or in several where lengths differ much: the sequences
 * of like length in one.
 */
export interface PackedLayout {
  readonly tokens: Dim;
  readonly rectangles: readonly Rectangle[];
}

/** One side's tokens as inputs of a graph. */
export interface PackedInput {
  /** [tokens] int32 */
  readonly ids: Value;
  /** [tokens] int32: the place of each token in its sequence, from 0, unless the architecture counts otherwise. */
  readonly positions: Value;
  readonly layout: PackedLayout;
}

type Side = 'source' | 'target' | 'text';

/** Arrays for the inputs of a graph, by name. */
export type Feeds = Record<string, { readonly data: TensorData; readonly shape: readonly number[] }>;

/** Added to the attention scores of what must not be seen: far below any score, so that its softmax is exactly 0. */
export const MASKED = -1e9;

/** What the inputs and symbols of one rectangle among others have behind their names. */
export const groupSuffix = (group: number, groups: number) => (groups === 1 ? '' : String(group));

/** Declares the inputs `<side>.ids` and `.positions`, and for each group of sequences `.padIndex` and `.packIndex`. */
export function packedInput(side: 'source' | 'target', groups = 1): PackedInput {
  const tokens = `${side}Tokens`;
  const perToken = (name: string) => input(`${side}.${name}`, 'int32', [tokens]);
  const rectangles = Array.from({ length: groups }, (_, group): Rectangle => {
    const suffix = groupSuffix(group, groups);
    const [batch, length] = [`batch${suffix}`, `${side}Length${suffix}`];
    const padIndex = input(`${side}.padIndex${suffix}`, 'int32', [`${batch}*${length}`]);
    const places = { padIndex, packIndex: perToken(`packIndex${suffix}`), isOnly: groups === 1 };
    return { batch, length, places };
  });
  return { ids: perToken('ids'), positions: perToken('positions'), layout: { tokens, rectangles } };
}

/** The encoder's input: packed tokens, and for each rectangle [batch, 1, 1, length] to hide padding from attention. */
export function sourceInput(groups = 1): PackedInput & { readonly biases: readonly Value[] } {
  const source = packedInput('source', groups);
  return { ...source, biases: source.layout.rectangles.map((_, group) => sourceBias(groupSuffix(group, groups))) };
}

/** Texts that one vector each is made of: in one rectangle, with the rows of their first tokens. */
export interface TextInput extends PackedInput {
  readonly biases: readonly Value[];
  /** [texts]: the row of each text's first token; [tokens]: of the first tokens their text, of others the number of texts. */
  readonly first: { readonly rows: Value; readonly texts: Value };
}

/** Declares the inputs that {@link packTexts} fills. */
export function textInput(texts: Dim = 'texts'): TextInput {
  const [length, tokens] = ['textLength', 'textTokens'];
  const perToken = (name: string) => input(`text.${name}`, 'int32', [tokens]);
  const padIndex = input('text.padIndex', 'int32', [product([texts, length])]);
  const places = { padIndex, packIndex: perToken('packIndex'), isOnly: true };
  return {
    ids: perToken('ids'),
    positions: perToken('positions'),
    layout: { tokens, rectangles: [{ batch: texts, length, places }] },
    biases: [input('text.bias', 'float32', [texts, 1, 1, length])],
    first: { rows: input('text.first', 'int32', [texts]), texts: perToken('firstOf') },
  };
}

/** [batch, 1, 1, sourceLength]: added to the scores of attention over the source, to hide padding. */
export const sourceBias = (suffix = ''): Value =>
  input(`source.bias${suffix}`, 'float32', [`batch${suffix}`, 1, 1, `sourceLength${suffix}`]);

/** [targetLength, targetLength] of each rectangle: added to the scores within the target, to hide what comes later. */
export function causalBiases({ rectangles }: PackedLayout): Value[] {
  return rectangles.map(({ length }, group) =>
    input(`target.causalBias${groupSuffix(group, rectangles.length)}`, 'float32', [length, length]),
  );
}

/** How the tokens of sources are looked at. */
export interface SourceRules {
  /** The architecture's. */
  readonly countedBehind?: number | undefined;
  /** A token that the encoder's attention does not see, though it is there. */
  readonly hiddenId?: number | undefined;
}

/** Fills what {@link sourceInput} declares; sequences come in groups, one for each rectangle. */
export function packSource(groups: readonly (readonly Int32Array[])[], rules: SourceRules = {}): Feeds {
  return packHidden('source', groups, rules);
}

/** Fills what {@link textInput} declares. */
export function packTexts(texts: readonly Int32Array[]): Feeds {
  const tokens = texts.reduce((total, { length }) => total + length, 0);
  const first = new Int32Array(texts.length);
  const firstOf = new Int32Array(tokens).fill(texts.length);
  let row = 0;
  for (const [text, { length }] of texts.entries()) {
    first[text] = row;
    firstOf[row] = text;
    row += length;
  }
  return {
    ...packHidden('text', [texts]),
    'text.first': { data: first, shape: [texts.length] },
    'text.firstOf': { data: firstOf, shape: [tokens] },
  };
}

/** One side, with what hides its padding. */
function packHidden(
  side: Side,
  groups: readonly (readonly Int32Array[])[],
  { countedBehind, hiddenId }: SourceRules = {},
): Feeds {
  const { feeds, lengths } = pack(side, groups, countedBehind);
  for (const [group, sequences] of groups.entries()) {
    const length = lengths[group]!;
    const bias = new Float32Array(sequences.length * length);
    for (const [item, sequence] of sequences.entries()) {
      bias.fill(MASKED, item * length + sequence.length, (item + 1) * length);
      if (hiddenId === undefined) continue;
      for (const [place, id] of sequence.entries()) if (id === hiddenId) bias[item * length + place] = MASKED;
    }
    feeds[`${side}.bias${groupSuffix(group, groups.length)}`] = { data: bias, shape: [sequences.length, 1, 1, length] };
  }
  return feeds;
}

/** Fills what {@link packedInput} and {@link causalBiases} declare. */
export function packTarget(groups: readonly (readonly Int32Array[])[]): Feeds {
  const { feeds, lengths } = pack('target', groups);
  for (const [group, length] of lengths.entries()) {
    const bias = new Float32Array(length * length);
    for (let position = 0; position < length; position++) {
      bias.fill(MASKED, position * length + position + 1, (position + 1) * length);
    }
    feeds[`target.causalBias${groupSuffix(group, groups.length)}`] = { data: bias, shape: [length, length] };
  }
  return feeds;
}

function pack(
  side: Side,
  groups: readonly (readonly Int32Array[])[],
  countedBehind?: number,
): { feeds: Feeds; lengths: number[] } {
  const all = groups.flat();
  const tokens = all.reduce((total, sequence) => total + sequence.length, 0);
  const ids = new Int32Array(tokens);
  const positions = new Int32Array(tokens);
  const perToken = (data: Int32Array) => ({ data, shape: [tokens] });
  const feeds: Feeds = { [`${side}.ids`]: perToken(ids), [`${side}.positions`]: perToken(positions) };
  let row = 0;
  const lengths = groups.map((sequences, group) => {
    const length = Math.max(...sequences.map((sequence) => sequence.length));
    const places = sequences.length * length;
    const packIndex = new Int32Array(tokens).fill(places);
    const padIndex = new Int32Array(places).fill(tokens);
    for (const [item, sequence] of sequences.entries()) {
      ids.set(sequence, row);
      positions.set(positionsOf(sequence, countedBehind), row);
      for (let place = 0; place < sequence.length; place++, row++) {
        packIndex[row] = item * length + place;
        padIndex[item * length + place] = row;
      }
    }
    const suffix = groupSuffix(group, groups.length);
    feeds[`${side}.packIndex${suffix}`] = perToken(packIndex);
    feeds[`${side}.padIndex${suffix}`] = { data: padIndex, shape: [places] };
    return length;
  });
  return { feeds, lengths };
}

function positionsOf(sequence: Int32Array, countedBehind: number | undefined): Int32Array {
  if (countedBehind === undefined) return sequence.map((_, place) => place);
  let position = countedBehind;
  return sequence.map((id) => (id === countedBehind ? countedBehind : ++position));
}
