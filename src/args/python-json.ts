import { isDeepStrictEqual } from 'node:util';
import { fail } from '../errors.js';
import { optionNamed, optionNames, optionOf, pythonName } from './names.js';
import { bare } from './option.js';
import { checkOption, refusal, type Seq2SeqArgs, type Seq2SeqArgsInput, show } from './schema.js';

/** Keys that Simple Transformers writes beside the options of this table, with the values that ask for nothing. */
const foreignKeys: Record<string, unknown> = {
  model_class: 'Seq2SeqModel',
  fp16_opt_level: 'O1',
  loss_args: {},
  loss_type: null,
  trust_remote_code: false,
};

/**
 * `model_args.json` as Simple Transformers writes and reads it. Where its default differs from ours, our default is written
 * as its own, so that a folder behaves there as one made there.
 */
export function toPythonJson(args: Seq2SeqArgs): Record<string, unknown> {
  const left = new Set(args.notSavedArgs.map((name) => optionNamed(name)));
  const json: Record<string, unknown> = { model_class: foreignKeys.model_class };
  for (const name of optionNames) {
    const { python, default: initial } = optionOf(name);
    if (python.local || left.has(name)) continue;
    const standsForTheirs = 'default' in python && isDeepStrictEqual(args[name], initial);
    json[pythonName(name)] = (standsForTheirs ? python.default : args[name]) ?? null;
  }
  return json;
}

export interface PythonArgs {
  /** The options that the file sets, to be layered under the caller's own. */
  readonly args: Seq2SeqArgsInput;
  /** One line for each entry that was left out because this release does not know or support it. */
  readonly warnings: readonly string[];
}

/**
 * The options of a `model_args.json`, written by Simple Transformers or by us. It tells how a model was trained, so what is
 * not supported here must not keep it from loading: such entries are left out, each with a warning.
 */
export function fromPythonJson(json: unknown, area = 'model_args.json'): PythonArgs {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    fail(area, `it must hold an object of names and values, not ${show(json)}. Restore the file, or remove it.`);
  }
  const args: Record<string, unknown> = {};
  const warnings: string[] = [];
  for (const [key, value] of Object.entries(json)) {
    const name = optionNamed(key);
    if (!name) {
      const asksForNothing = Object.hasOwn(foreignKeys, key) && isDeepStrictEqual(value, foreignKeys[key]);
      if (!asksForNothing) warnings.push(`${area}: "${key}" (${show(value)}) is no option here and is left out.`);
      continue;
    }
    const { python, type } = optionOf(name);
    const unset = value === null && bare(type) !== type;
    if (python.local || unset || ('default' in python && isDeepStrictEqual(value, python.default))) continue;
    const reason = refusal(name, value);
    if (reason) warnings.push(`${area}: "${key}" (${show(value)}) is left out: ${reason}.`);
    else args[name] = checkOption(name, value, key, area);
  }
  return { args, warnings };
}
