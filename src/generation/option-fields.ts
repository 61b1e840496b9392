import { fail } from '../errors.js';
import type { LogitsProcessor } from './logits-processor.js';

/**
 * Every setting as it is written down: in a call, in `generation_config.json` or in an old `config.json`. They become
 * `GenerationOptions` once start and pad are settled and lengths are counted one way.
 */
export interface Settings {
  numBeams: number;
  lengthPenalty: number;
  earlyStopping: boolean | 'never';
  maxLength: number;
  maxNewTokens: number | null;
  minLength: number;
  minNewTokens: number | null;
  repetitionPenalty: number;
  noRepeatNgramSize: number;
  badWordsIds: readonly (readonly number[])[];
  numReturnSequences: number;
  numBeamGroups: number;
  diversityPenalty: number;
  doSample: boolean;
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  typicalP: number;
  epsilonCutoff: number;
  etaCutoff: number;
  seed: number | null;
  bosTokenId: number | null;
  decoderStartTokenId: number | null;
  eosTokenId: readonly number[];
  padTokenId: number | null;
  forcedBosTokenId: number | null;
  forcedEosTokenId: readonly number[];
  suppressTokens: readonly number[];
  beginSuppressTokens: readonly number[];
  renormalizeLogits: boolean;
  prefixIds: readonly number[];
  logitsProcessor: LogitsProcessor | null;
}

interface Field<T> {
  /** Its name in the files; undefined: it is in none. */
  readonly python: string | undefined;
  /** Its value where nobody says anything: Transformers' default. */
  readonly initial: T;
  /** What None means, where that is not `initial`. */
  readonly none?: T;
  readonly kind: Kind<T>;
}

interface Kind<T> {
  /** Ends the sentence "… must be". */
  readonly name: string;
  /** The value, or undefined when it is not one of this kind. */
  parse(value: unknown): T | undefined;
}

const isId = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const whole = (least: number): Kind<number> => ({
  name: `a whole number of at least ${least}`,
  parse: (value) => (isId(value) && value >= least ? value : undefined),
});

const real = (name: string, holds: (value: number) => boolean): Kind<number> => ({
  name,
  parse: (value) => (typeof value === 'number' && Number.isFinite(value) && holds(value) ? value : undefined),
});

const share = real('a number above 0 and at most 1', (value) => value > 0 && value <= 1);
const fraction = real('a number from 0 to below 1', (value) => value >= 0 && value < 1);

const positive = real('a number above 0', (value) => value > 0);

const flag: Kind<boolean> = {
  name: 'true or false',
  parse: (value) => (typeof value === 'boolean' ? value : undefined),
};

const stopping: Kind<boolean | 'never'> = {
  name: "true, false or 'never'",
  parse: (value) => (value === 'never' ? value : flag.parse(value)),
};

const ids: Kind<readonly number[]> = {
  name: 'a token id or a list of them',
  parse: (value) => ([value].flat().every(isId) ? ([value].flat() as number[]) : undefined),
};

const processor: Kind<LogitsProcessor> = {
  name: 'a function of (tokens, scores)',
  parse: (value) => (typeof value === 'function' ? (value as LogitsProcessor) : undefined),
};

const words: Kind<readonly (readonly number[])[]> = {
  name: 'a list of non-empty lists of token ids',
  parse: (value) =>
    Array.isArray(value) && value.every((word) => Array.isArray(word) && word.length > 0 && word.every(isId))
      ? value
      : undefined,
};

export const fields: { readonly [Name in keyof Settings]: Field<Settings[Name]> } = {
  numBeams: { python: 'num_beams', initial: 1, kind: whole(1) },
  lengthPenalty: { python: 'length_penalty', initial: 1, kind: real('a finite number', () => true) },
  earlyStopping: { python: 'early_stopping', initial: false, kind: stopping },
  maxLength: { python: 'max_length', initial: 20, kind: whole(0) },
  maxNewTokens: { python: 'max_new_tokens', initial: null, kind: whole(1) },
  minLength: { python: 'min_length', initial: 0, kind: whole(0) },
  minNewTokens: { python: 'min_new_tokens', initial: null, kind: whole(0) },
  repetitionPenalty: { python: 'repetition_penalty', initial: 1, kind: positive },
  noRepeatNgramSize: { python: 'no_repeat_ngram_size', initial: 0, kind: whole(0) },
  badWordsIds: { python: 'bad_words_ids', initial: [], kind: words },
  numReturnSequences: { python: 'num_return_sequences', initial: 1, kind: whole(1) },
  numBeamGroups: { python: 'num_beam_groups', initial: 1, kind: whole(1) },
  diversityPenalty: {
    python: 'diversity_penalty',
    initial: 0,
    kind: real('a number of at least 0', (value) => value >= 0),
  },
  doSample: { python: 'do_sample', initial: false, kind: flag },
  temperature: { python: 'temperature', initial: 1, kind: positive },
  topK: { python: 'top_k', initial: 50, none: 0, kind: whole(0) },
  topP: { python: 'top_p', initial: 1, kind: share },
  minP: { python: 'min_p', initial: 0, kind: real('a number from 0 to 1', (value) => value >= 0 && value <= 1) },
  typicalP: { python: 'typical_p', initial: 1, kind: share },
  epsilonCutoff: { python: 'epsilon_cutoff', initial: 0, kind: fraction },
  etaCutoff: { python: 'eta_cutoff', initial: 0, kind: fraction },
  seed: { python: undefined, initial: null, kind: real('a finite number', () => true) },
  bosTokenId: { python: 'bos_token_id', initial: null, kind: whole(0) },
  decoderStartTokenId: { python: 'decoder_start_token_id', initial: null, kind: whole(0) },
  eosTokenId: { python: 'eos_token_id', initial: [], kind: ids },
  padTokenId: { python: 'pad_token_id', initial: null, kind: whole(0) },
  forcedBosTokenId: { python: 'forced_bos_token_id', initial: null, kind: whole(0) },
  forcedEosTokenId: { python: 'forced_eos_token_id', initial: [], kind: ids },
  suppressTokens: { python: 'suppress_tokens', initial: [], kind: ids },
  beginSuppressTokens: { python: 'begin_suppress_tokens', initial: [], kind: ids },
  renormalizeLogits: { python: 'renormalize_logits', initial: false, kind: flag },
  prefixIds: { python: undefined, initial: [], kind: ids },
  logitsProcessor: { python: undefined, initial: null, kind: processor },
};

/** A setting as it was written in `source`; undefined: not at all, null: None. */
export function parseField<Name extends keyof Settings>(name: Name, value: unknown, source: string): Settings[Name] {
  const field: Field<Settings[Name]> = fields[name];
  if (value === undefined) return field.initial;
  if (value === null) return field.none ?? field.initial;
  const inCall = source === 'the call';
  const parsed = field.kind.parse(value);
  if (parsed !== undefined) return parsed;
  const shown = typeof value === 'number' ? value : JSON.stringify(value);
  return fail(
    'generation',
    `${inCall ? name : field.python} is ${shown} in ${source}, but must be ${field.kind.name}. ` +
      `Correct it${inCall ? '' : ` there, or pass ${name}`}.`,
  );
}
