import { z } from 'zod';

/**
 * What becomes of an option in this release:
 * - `works`: it does what its description says.
 * - `recorded`: the model writes it itself (what it was loaded from); accepted so that a saved file reads back.
 * - `refused`: it has no meaning here; the reason names the natural counterpart. Only its default, and values that are
 *   `honoured` anyway, are accepted.
 */
export type Status =
  | { readonly kind: 'works' | 'recorded' }
  | { readonly kind: 'refused'; readonly reason: string; readonly honoured?: readonly unknown[] };

/** How the option stands in Simple Transformers' `model_args.json`, where that is more than its name in snake_case. */
export interface PythonSide {
  readonly name?: string;
  /** Its default there, where ours differs: read as "not set" and written in place of our default. */
  readonly default?: unknown;
  /** It describes a machine or a place, not a model: neither written nor read back. */
  readonly local?: true;
}

export interface Extras {
  /** What differs from Simple Transformers, and why. */
  readonly note?: string;
  readonly python?: PythonSide;
  readonly honoured?: readonly unknown[];
}

export interface Option<T = unknown> {
  readonly type: z.ZodType<T>;
  readonly default: T;
  readonly description: string;
  readonly status: Status;
  readonly note?: string;
  readonly python: PythonSide;
}

// What a value may be. The words complete "it must be …" and fill the documentation's table; the placeholder stands for the
// value in the command line's help.

function kind<T extends z.ZodType>(type: T, words: string, placeholder = '<value>'): T {
  return type.meta({ description: words, placeholder });
}

export const flag = kind(z.boolean(), 'true or false', '');
export const count = kind(z.int().min(1), 'a whole number, at least 1', '<n>');
export const wholeNumber = kind(z.int().min(0), 'a whole number, at least 0', '<n>');
export const integer = kind(z.int(), 'a whole number', '<n>');
export const stepsOrNever = kind(z.int().min(-1), 'a whole number, where 0 or -1 means never', '<n>');
export const stepsOrNoLimit = kind(z.int().min(-1), 'a whole number, where 0 or -1 means no limit', '<n>');
export const seed = kind(z.int().min(0).max(0xffffffff), 'a whole number from 0 to 4294967295', '<n>');
export const number = kind(z.number(), 'a number', '<x>');
export const positive = kind(z.number().positive(), 'a number above 0', '<x>');
export const notNegative = kind(z.number().nonnegative(), 'a number, at least 0', '<x>');
export const share = kind(z.number().min(0).max(1), 'a number from 0 to 1', '<x>');
export const probability = kind(z.number().positive().max(1), 'a number above 0, at most 1', '<x>');
export const text = kind(z.string(), 'a text', '<text>');
export const path = kind(z.string().min(1), 'a path', '<path>');
export const names = kind(z.array(z.string()).readonly(), 'a list of names', '<a,b>');
export const texts = kind(z.array(z.string().min(1)).readonly(), 'a list of texts', '<a,b>');
export const list = kind(z.array(z.unknown()).readonly(), 'a list', '<json>');
export const object = kind(z.record(z.string(), z.unknown()).readonly(), 'an object', '<json>');
export const anything = kind(z.unknown(), 'anything');
export const flagOrNever = kind(z.boolean().or(z.literal('never')), 'true, false or "never"', '[never]');

const beta = z.number().min(0).lt(1);
export const betas = kind(z.tuple([beta, beta]).readonly(), 'two numbers from 0 to below 1', '<x,y>');
export const pair = kind(z.tuple([z.number(), z.number()]).readonly(), 'two numbers', '<x,y>');

export function oneOf<const T extends readonly [string, ...string[]]>(...values: T) {
  return kind(z.enum(values), `one of ${values.join(', ')}`, '<name>');
}

// An option's line in the table. Without a default the option is unset until somebody sets it.

export function works<T>(type: z.ZodType<T>, initial: NoInfer<T>, description: string, extras?: Extras): Option<T> {
  return define(type, initial, description, { kind: 'works' }, extras);
}

export function recorded<T>(type: z.ZodType<T>, initial: NoInfer<T>, description: string, extras?: Extras): Option<T> {
  return define(type, initial, description, { kind: 'recorded' }, extras);
}

export function refused<T>(
  reason: string,
  type: z.ZodType<T>,
  initial: NoInfer<T>,
  description: string,
  extras?: Extras,
): Option<T> {
  return define(type, initial, description, { kind: 'refused', reason, ...honoured(extras) }, extras);
}

function honoured(extras: Extras | undefined) {
  return extras?.honoured ? { honoured: extras.honoured } : {};
}

function define<T>(
  type: z.ZodType<T>,
  initial: T,
  description: string,
  status: Status,
  { note, python = {} }: Extras = {},
): Option<T> {
  return { type, default: initial, description, status, python, ...(note === undefined ? {} : { note }) };
}

/** What a type's values are, in words. */
export function expected(type: z.ZodType): string {
  return bare(type).meta()?.description ?? 'a value of another kind';
}

/** What stands for the value behind a flag; empty for a boolean, whose flag needs none. */
export function placeholder(type: z.ZodType): string {
  return String(bare(type).meta()?.placeholder ?? '<value>');
}

/** A type without its "may be left unset". */
export function bare(type: z.ZodType): z.ZodType {
  return type instanceof z.ZodOptional ? (type.unwrap() as z.ZodType) : type;
}

/** A default as help and documentation show it. */
export function showDefault(value: unknown): string {
  if (typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-3) return value.toExponential();
  return Array.isArray(value) && value.length > 0 ? value.map(showDefault).join(', ') : JSON.stringify(value);
}
