import { fail } from '../errors.js';
import type { Weight } from './weight.js';

/** A weight that a model needs. */
export interface ExpectedWeight {
  readonly name: string;
  readonly shape: readonly number[];
  /** Other names under which a checkpoint may hold the same, tied weight. */
  readonly aliases?: readonly string[];
  /** May be missing: the model then starts it by itself. */
  readonly optional?: boolean;
}

export interface MatchedWeights {
  readonly matched: ReadonlyMap<string, Weight>;
  /** Weights of the checkpoint that the model has no place for. */
  readonly unexpected: readonly string[];
  /** Optional weights that the checkpoint does not hold. */
  readonly missing: readonly string[];
}

export interface MatchOptions {
  /** For messages. */
  readonly architecture: string;
  /**
   * Transformers' prefix of the base model (`BertModel`) inside a model with a head (`BertLMHeadModel`): `bert.`. A checkpoint
   * of either has the weights of the other, with the prefix or without.
   */
  readonly basePrefix?: string | undefined;
}

/** Names of early checkpoints, converted from TensorFlow. */
const oldNames = [
  [/LayerNorm\.gamma$/, 'LayerNorm.weight'],
  [/LayerNorm\.beta$/, 'LayerNorm.bias'],
] as const;

/** What older Transformers saved and today's makes by itself. */
const derived = [/(^|\.)embeddings\.(position_ids|token_type_ids)$/, /(^|\.)(encoder|decoder)\.version$/];

const mostNamed = 10;

/** Finds each expected weight: under its name, an alias or an old name, each with the base model's prefix or without. */
export function matchWeights(
  weights: ReadonlyMap<string, Weight>,
  expected: Iterable<ExpectedWeight>,
  { architecture, basePrefix }: MatchOptions,
): MatchedWeights {
  const stored = new Map([...weights].map(([name, weight]) => [todaysName(name), weight]));
  for (const [name, weight] of weights) stored.set(name, weight);
  const matched = new Map<string, Weight>();
  const known = new Set<string>();
  const missing: string[] = [];
  const required: string[] = [];
  const misshapen: string[] = [];
  for (const { name, shape, aliases = [], optional = false } of expected) {
    const names = [name, ...aliases].flatMap((each) => [each, ...otherPrefix(each, basePrefix)]);
    for (const each of names) known.add(each);
    const weight = names.map((each) => stored.get(each)).find((found) => found !== undefined);
    if (!weight) (optional ? missing : required).push(name);
    else if (!sameShape(weight.shape, shape))
      misshapen.push(`${name} is ${show(weight.shape)}, must be ${show(shape)}`);
    else matched.set(name, weight);
  }
  const isExpected = (name: string) => known.has(name) || known.has(todaysName(name));
  const unexpected = [...weights.keys()].filter((name) => !isExpected(name) && !derived.some((one) => one.test(name)));

  if (required.length > 0) {
    const found = unexpected.length > 0 ? `; it holds, unexpected, ${list(unexpected)}` : '';
    fail(
      'checkpoint',
      `${required.length} of the ${required.length + missing.length + matched.size + misshapen.length} weights of ${architecture} ` +
        `are missing: ${list(required)}${found}. Check that the weights belong to this config.json.`,
    );
  }
  if (misshapen.length > 0) {
    fail(
      'checkpoint',
      `${misshapen.length} weights of ${architecture} have another shape than config.json asks for: ${list(misshapen)}. ` +
        'Check that the weights belong to this config.json.',
    );
  }
  return { matched, unexpected, missing };
}

function otherPrefix(name: string, basePrefix: string | undefined): string[] {
  if (basePrefix === undefined) return [];
  return [name.startsWith(basePrefix) ? name.slice(basePrefix.length) : basePrefix + name];
}

function todaysName(name: string): string {
  return oldNames.reduce((renamed, [old, today]) => renamed.replace(old, today), name);
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

const show = (shape: readonly number[]) => `[${shape.join(', ')}]`;

function list(items: readonly string[]): string {
  const rest = items.length - mostNamed;
  return items.slice(0, mostNamed).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
