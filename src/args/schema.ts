import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { fail, nearest } from '../errors.js';
import { acceptedKeys, kebabName, type OptionName, optionNamed, optionNames, optionOf } from './names.js';
import { bare, expected } from './option.js';
import type { options } from './table.js';

/** Every option with its value; unset ones are `undefined`. */
export type Seq2SeqArgs = { readonly [K in OptionName]: z.output<(typeof options)[K]['type']> };

/** What a caller gives: any options, in any number. `undefined` says nothing; `null` unsets an option that can be unset. */
export type Seq2SeqArgsInput = {
  readonly [K in OptionName]?: undefined extends Seq2SeqArgs[K] ? Seq2SeqArgs[K] | null : Seq2SeqArgs[K] | undefined;
};

export const defaultArgs = Object.freeze(
  Object.fromEntries(optionNames.map((name) => [name, optionOf(name).default])),
) as unknown as Seq2SeqArgs;

/** All options from those given: checked, and the defaults filled in. */
export function parseArgs(input: unknown = {}, area = 'args'): Seq2SeqArgs {
  return updateArgs(defaultArgs, input, area);
}

/** `base` with `changes` on top, checked together. */
export function updateArgs(base: Seq2SeqArgs, changes: unknown = {}, area = 'args'): Seq2SeqArgs {
  const given = checkArgs(changes, area);
  const entries = Object.entries({ ...given, ...sweepValues(given.sweepConfig) });
  const set = Object.fromEntries(entries.map(([name, value]) => [name, value ?? undefined]));
  const args: Seq2SeqArgs = Object.freeze({ ...base, ...set });
  // A rag-sequence has as many answers as beams from each document.
  const isJudged = args.modelType !== 'rag-sequence' && !args.doSample;
  if (args.numReturnSequences > args.numBeams && isJudged) {
    fail(
      area,
      `numReturnSequences is ${args.numReturnSequences}, but a search with ${args.numBeams} beam(s) ends with no more ` +
        `than ${args.numBeams} answer(s). Raise numBeams, or set doSample.`,
    );
  }
  return args;
}

/** The options that a sweep sets, which override others: its values by name, or as W&B keeps them, `{ name: { value } }`. */
function sweepValues(sweep: Seq2SeqArgsInput['sweepConfig']): Seq2SeqArgsInput {
  const values = Object.entries(sweep ?? {}).map(([name, entry]) => {
    const isWrapped = typeof entry === 'object' && entry !== null && Object.keys(entry).join() === 'value';
    return [name, isWrapped ? (entry as { value: unknown }).value : entry];
  });
  return checkArgs(Object.fromEntries(values), 'sweepConfig');
}

/**
 * The given options under their own names, each checked by itself. Keys may be camelCase or, as in JSON files from Python,
 * snake_case. Fails on an unknown name, a value of the wrong kind, and a value that this release does not support.
 */
export function checkArgs(input: unknown = {}, area = 'args'): Seq2SeqArgsInput {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    fail(area, `options are an object of names and values, not ${show(input)}.`);
  }
  const given = new Map<OptionName, { key: string; value: unknown }>();
  for (const [key, value] of Object.entries(input)) {
    if (value === undefined) continue;
    const name = optionNamed(key) ?? unknownOption(key, area);
    const earlier = given.get(name);
    if (earlier) fail(area, `"${earlier.key}" and "${key}" are one option, given twice. Keep one.`);
    given.set(name, { key, value: checkOption(name, value, key, area) });
  }
  return Object.fromEntries([...given].map(([name, { value }]) => [name, value]));
}

function unknownOption(key: string, area: string): never {
  const close = nearest(key, acceptedKeys());
  fail(
    area,
    `there is no option "${key}". ${close ? `Did you mean "${close}"?` : 'docs/options.md lists all of them.'}`,
  );
}

/** The value, if the option may have it. `label` is what the caller called the option. */
export function checkOption(name: OptionName, value: unknown, label: string, area: string): unknown {
  const option = optionOf(name);
  if (value === null && option.type !== bare(option.type)) return null;
  const { success, data } = option.type.safeParse(value);
  if (!success) fail(area, `${label} is ${show(value)}; it must be ${expected(option.type)}.`);
  const reason = refusal(name, data);
  if (reason) fail(area, `${label} is ${show(value)}, but ${reason}. ${remedy(name)}`);
  return data;
}

/** Why this release does not take a value of the right kind, if it doesn't. */
export function refusal(name: OptionName, value: unknown): string | undefined {
  const { status, default: initial } = optionOf(name);
  if (!('reason' in status)) return undefined;
  const accepted = [initial, ...(status.honoured ?? [])];
  return accepted.some((known) => isDeepStrictEqual(known, value)) ? undefined : status.reason;
}

function remedy(name: OptionName): string {
  const initial = optionOf(name).default;
  return initial === undefined ? 'Leave it out.' : `Leave it at ${show(initial)}.`;
}

/**
 * The value that a text on the command line stands for: the first reading that the option's type accepts, as text, as a
 * number, as JSON, as numbers or names between commas.
 */
export function optionFromText(name: OptionName, written: string, area: string): unknown {
  const { type } = optionOf(name);
  const readings = [
    () => written,
    () => (written.trim() === '' ? written : Number(written)),
    () => JSON.parse(written),
    () => JSON.parse(`[${written}]`),
    () => written.split(',').map((part) => part.trim()),
  ];
  for (const read of readings) {
    const value = attempt(read);
    if (type.safeParse(value).success && value !== undefined)
      return checkOption(name, value, `--${kebabName(name)}`, area);
  }
  return checkOption(name, written, `--${kebabName(name)}`, area);
}

function attempt(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** A value as an error shows it. */
export function show(value: unknown): string {
  // Neither NaN nor a function has a JSON form of its own.
  const text = typeof value === 'number' ? String(value) : attempt(() => JSON.stringify(value));
  if (typeof text !== 'string') return `of type ${typeof value}`;
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
