import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import {
  checkArgs,
  fromPythonJson,
  kebabName,
  type OptionName,
  optionFromText,
  optionGroups,
  optionNames,
  optionOf,
  placeholder,
  type Seq2SeqArgsInput,
  showDefault,
  spellings,
} from '../args/index.js';
import { asUsage, systemReason, usage } from './failure.js';

type GroupTitle = keyof typeof optionGroups;

/** Options that the command line does not set by a flag: `--config` names a file, and the model records the others. */
function hasFlag(name: OptionName): boolean {
  return name !== 'config' && optionOf(name).status.kind !== 'recorded';
}

/** Adds every option of the table to a command; the help shows those that work and are named in `shown`, singly or by group. */
export function addArgsFlags(command: Command, shown: readonly (GroupTitle | OptionName)[]): Command {
  command.addOption(
    new Option(
      '--config <file>',
      "JSON file of options, named as here in camelCase or as in Python; or a model's config.json",
    ).helpGroup('Options from a file:'),
  );
  for (const [title, group] of Object.entries(optionGroups)) {
    for (const name of optionNames.filter((candidate) => candidate in group && hasFlag(candidate))) {
      const relevant = shown.includes(title as GroupTitle) || shown.includes(name);
      const visible = relevant && optionOf(name).status.kind === 'works';
      for (const [index, spelling] of flagNames(name).entries()) {
        for (const flag of flagsOf(name, spelling)) {
          flag.helpGroup(`${title} options:`).hideHelp(flag.hidden || !visible || index > 0);
          command.addOption(flag);
        }
      }
    }
  }
  return command;
}

/** The flags of an option: one that takes a value, or the pair `--x` and `--no-x`, where the help shows what changes something. */
function flagsOf(name: OptionName, flag: string): Option[] {
  const { type, default: initial, description } = optionOf(name);
  const value = placeholder(type);
  const quiet = initial === undefined || initial === false || (Array.isArray(initial) && initial.length === 0);
  const setting = new Option(
    `--${flag} ${value}`.trim(),
    quiet ? description : `${description} [${showDefault(initial)}]`,
  );
  // Names such as no-save are options of their own, not commander's "not save".
  setting.negate = false;
  if (value.startsWith('<')) return [setting];
  const clearing = new Option(`--no-${flag}`, `Turns off ${name}: ${description}`);
  (initial === true && value === '' ? setting : clearing).hideHelp();
  return [setting, clearing];
}

function flagNames(name: OptionName): string[] {
  return [...new Set(spellings(name).filter((spelling) => !spelling.includes('_')))].map(kebabName);
}

/** The options that the user gave: those of `--config` first, flags on top. Anything wrong with them is bad usage. */
export function givenArgs(command: Command): Seq2SeqArgsInput {
  const values: Record<string, unknown> = command.opts();
  const fromFile = typeof values.config === 'string' && !isModelConfig(values.config) ? argsOfFile(values.config) : {};
  return asUsage(() => {
    const fromFlags: Record<string, unknown> = {};
    for (const name of optionNames.filter(hasFlag)) {
      for (const spelling of spellings(name)) {
        const value = values[spelling];
        if (value !== undefined) fromFlags[spelling] = optionFromText(name, String(value), command.name());
      }
    }
    return { ...fromFile, ...checkArgs(fromFlags, command.name()) };
  });
}

/** Whether `--config` names a model's config.json, which describes a fresh model, and not a file of options. */
export function isModelConfig(path: unknown): boolean {
  if (typeof path !== 'string') return false;
  const json = readJsonObject('--config', path);
  return ['architectures', 'vocab_size', 'encoder', 'd_model'].some((name) => name in json);
}

function argsOfFile(path: string): Seq2SeqArgsInput {
  const json = readJsonObject('--config', path);
  if (!('model_class' in json)) return asUsage(() => checkArgs(json, path));
  const { args, warnings } = asUsage(() => fromPythonJson(json, path));
  for (const warning of warnings) console.error(warning);
  return args;
}

export function readJsonObject(flag: string, path: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    usage(flag, `cannot read ${path}: ${systemReason(error)}. Check the path.`);
  }
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  } catch (error) {
    usage(flag, `${path} is not JSON: ${(error as Error).message}. Mend the file.`);
  }
  usage(flag, `${path} must hold one JSON object.`);
}
