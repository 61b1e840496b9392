import { fail } from '../errors.js';
import type { LogitsProcessor } from './logits-processor.js';
import { fields, parseField, type Settings } from './option-fields.js';
import { refuseUnsupported, storedSettings } from './stored-settings.js';

/** How to generate, with every setting resolved. Names, meanings and defaults are Transformers', in camelCase. */
export interface GenerationOptions {
  /** 1: greedy search or sampling; more: beam search, or beam sampling with `doSample`. */
  readonly numBeams: number;
  /** A beam's score is its log-probability / generated length ** lengthPenalty: positive values favour long answers. */
  readonly lengthPenalty: number;
  /** When beam search may stop; see `Hypotheses.isDone`. */
  readonly earlyStopping: boolean | 'never';
  /** Most tokens of an answer, the start token and the end token included. */
  readonly maxLength: number;
  /** The end token is banned until an answer has this many tokens, the start token included. */
  readonly minLength: number;
  readonly repetitionPenalty: number;
  /** No n-gram of this size comes twice; 0: off. */
  readonly noRepeatNgramSize: number;
  /** Token sequences that must not appear. */
  readonly badWordsIds: readonly (readonly number[])[];
  readonly numReturnSequences: number;
  /** Groups that beams are divided into, each searched for itself, but for `diversityPenalty`. */
  readonly numBeamGroups: number;
  /** Taken off a token's log-probability for every beam of an earlier group that chose it in the same step. */
  readonly diversityPenalty: number;
  readonly doSample: boolean;
  readonly temperature: number;
  /** Draw from so many best tokens; 0: from all. */
  readonly topK: number;
  /** Draw from the fewest best tokens of this total probability; 1: from all. */
  readonly topP: number;
  /** Draw from tokens of at least this share of the best one's probability; 0: from all. */
  readonly minP: number;
  /** Draw from the tokens of this total probability whose surprise is nearest to what is to be expected; 1: from all. */
  readonly typicalP: number;
  /** Draw from tokens of at least this probability; 0: from all. */
  readonly epsilonCutoff: number;
  /** As `epsilonCutoff`, but a lower limit where the model is unsure: min(η, √η · exp(-entropy)); 0: off. */
  readonly etaCutoff: number;
  /** Of the random streams of sampling; null: another one for every call. */
  readonly seed: number | null;
  readonly decoderStartTokenId: number;
  /** Each of these ends an answer; none: all answers are `maxLength` long. */
  readonly eosTokenId: readonly number[];
  readonly padTokenId: number;
  /** The token that must follow the start token. */
  readonly forcedBosTokenId: number | null;
  /** The tokens one of which must stand at `maxLength`; none: any may. */
  readonly forcedEosTokenId: readonly number[];
  /** Tokens that never come. */
  readonly suppressTokens: readonly number[];
  /** Tokens that are not the first behind the start token and a forced one. */
  readonly beginSuppressTokens: readonly number[];
  /** The tokens that every answer has behind the start token. They are given, not chosen: they count in no score. */
  readonly prefixIds: readonly number[];
  /** A rule of the caller's own, behind all others but those of sampling. */
  readonly logitsProcessor: LogitsProcessor | null;
  /** Beams are scored by probabilities among the tokens that processors leave, not among all. */
  readonly renormalizeLogits: boolean;
}

type Given<T> = T extends readonly number[] ? number | T : T;

/**
 * What a caller may ask for. Left out: as the checkpoint says; null: Python's None, off. `maxNewTokens` and
 * `minNewTokens` count without the start token and win over `maxLength` and `minLength`, wherever those come from.
 */
export type GenerationArgs = { readonly [Name in keyof Settings]?: Given<Settings[Name]> | null | undefined };

/**
 * Settles every option: the caller's `args`, then `generation_config.json`, or where a checkpoint has none (`{}`) the
 * settings that old checkpoints keep in `config.json` (with `classDefaults` where it is silent), then Transformers' defaults. Refuses what Transformers refuses,
 * and settings of a file that this search doesn't have.
 */
export function resolveGenerationOptions(
  args: GenerationArgs,
  generationConfig: Readonly<Record<string, unknown>>,
  config: Readonly<Record<string, unknown>>,
  classDefaults: Readonly<Record<string, unknown>> = {},
): GenerationOptions {
  const stored = storedSettings(generationConfig, config, classDefaults);
  refuseUnsupported(stored);
  const setting = <Name extends keyof Settings>(name: Name) =>
    args[name] !== undefined
      ? parseField(name, args[name], 'the call')
      : parseField(name, stored.values[fields[name].python ?? ''], stored.file);
  const names = Object.keys(fields) as (keyof Settings)[];
  const { bosTokenId, maxNewTokens, minNewTokens, ...settings } = Object.fromEntries(
    names.map((name) => [name, setting(name)]),
  ) as unknown as Settings;

  // What Transformers is given as decoder_input_ids: with them, it forces no first token of its own.
  const forcedBos = settings.forcedBosTokenId === null ? [] : [settings.forcedBosTokenId];
  const prefixIds = settings.prefixIds.length > 0 ? [...forcedBos, ...settings.prefixIds] : [];
  const given = 1 + prefixIds.length;
  const positions = typeof config.max_position_embeddings === 'number' ? config.max_position_embeddings : Infinity;
  const maxLength = args.maxLength == null ? unasked(settings.maxLength, given, positions) : settings.maxLength;
  const options: GenerationOptions = {
    ...settings,
    prefixIds,
    maxLength: maxNewTokens === null ? maxLength : maxNewTokens + given,
    minLength: minNewTokens === null ? settings.minLength : minNewTokens + given,
    padTokenId: settings.padTokenId ?? settings.eosTokenId[0] ?? 0,
    decoderStartTokenId:
      settings.decoderStartTokenId ??
      bosTokenId ??
      fail(
        'generation',
        'the checkpoint names no decoder_start_token_id and no bos_token_id, so an answer has no first token. ' +
          'Pass decoderStartTokenId, or name it in generation_config.json.',
      ),
  };
  const end = prefixIds.find((id) => options.eosTokenId.includes(id));
  if (end !== undefined) fail('generation', `the prefix has the end token ${end}. Give one that goes on.`);
  checkLengths(options, positions, (args.minLength ?? args.minNewTokens) != null);
  checkCombinations(options);
  const { decoder } = config as { decoder?: { vocab_size?: unknown } };
  const vocabSize = config.decoder_vocab_size ?? config.vocab_size ?? decoder?.vocab_size;
  if (typeof vocabSize === 'number') checkTokenIds(options, vocabSize);
  return options;
}

/** Transformers' default `max_length` stands for as many new tokens, if they fit, unless it is asked for in a call. */
function unasked(maxLength: number, given: number, positions: number): number {
  return maxLength === fields.maxLength.initial ? Math.min(maxLength + given, positions) : maxLength;
}

function checkLengths(
  { maxLength, minLength, prefixIds }: GenerationOptions,
  positions: number,
  minIsAsked: boolean,
): void {
  const given = 1 + prefixIds.length;
  if (maxLength <= given) {
    const takes = given === 1 ? 'the start token alone takes 1' : `start token and prefix take ${given}`;
    fail('generation', `maxLength is ${maxLength}, but ${takes}. Set at least ${given + 1}.`);
  }
  // The last token is never fed back, so that an answer may be one longer than the positions.
  if (maxLength - 1 > positions) {
    fail(
      'generation',
      `maxLength is ${maxLength}, but the model has ${positions} positions. Set at most ${positions + 1}.`,
    );
  }
  // A checkpoint's own minLength over a short maxLength only makes all answers maxLength long, as in Transformers.
  if (minIsAsked && minLength > maxLength) {
    fail(
      'generation',
      `minLength is ${minLength}, but maxLength is ${maxLength}. Set minLength to at most ${maxLength}, or raise maxLength.`,
    );
  }
}

function checkCombinations(options: GenerationOptions): void {
  const { numReturnSequences, numBeams, numBeamGroups, diversityPenalty, doSample } = options;
  const answers = numBeams > 1 ? numBeams : doSample ? Infinity : 1;
  if (numReturnSequences > answers) {
    fail(
      'generation',
      `numReturnSequences is ${numReturnSequences}, but ${numBeams > 1 ? `${numBeams} beams have` : 'greedy search has'} ` +
        `only ${answers} to return. Set numBeams to at least ${numReturnSequences}${numBeams > 1 ? '' : ', or doSample'}.`,
    );
  }
  if (numBeamGroups === 1 && diversityPenalty === 0) return;
  if (numBeamGroups === 1) {
    fail(
      'generation',
      `diversityPenalty is ${diversityPenalty}, but there is one group. Set numBeamGroups to 2 or more.`,
    );
  }
  if (numBeams % numBeamGroups !== 0) {
    fail(
      'generation',
      `${numBeams} beams cannot be divided into ${numBeamGroups} groups. Set numBeams to a multiple of numBeamGroups.`,
    );
  }
  if (doSample) fail('generation', 'groups of beams cannot be sampled. Leave out doSample, or numBeamGroups.');
  if (diversityPenalty === 0) {
    fail('generation', `all ${numBeamGroups} groups would find the same. Set diversityPenalty above 0.`);
  }
}

/** Refuses ids that the model's vocabulary doesn't have. */
export function checkTokenIds(options: GenerationOptions, vocabSize: number): void {
  const ids = {
    decoderStartTokenId: options.decoderStartTokenId,
    padTokenId: options.padTokenId,
    eosTokenId: options.eosTokenId,
    forcedBosTokenId: options.forcedBosTokenId ?? [],
    forcedEosTokenId: options.forcedEosTokenId,
    badWordsIds: options.badWordsIds.flat(),
    suppressTokens: options.suppressTokens,
    beginSuppressTokens: options.beginSuppressTokens,
    prefixIds: options.prefixIds,
  };
  for (const [name, value] of Object.entries(ids)) {
    const outside = [value].flat().find((id) => id >= vocabSize);
    if (outside === undefined) continue;
    fail(
      'generation',
      `${name} has token ${outside}, but the vocabulary ends at ${vocabSize - 1}. Use an id inside it.`,
    );
  }
}
