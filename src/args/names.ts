import type { Option } from './option.js';
import { options } from './table.js';

export type OptionName = keyof typeof options;

export const optionNames = Object.keys(options) as OptionName[];

/** Names of the reference that are neither ours nor the Python name. */
const aliases: Record<string, OptionName> = { include_title_in_knowledge_dataset: 'includeTitleInCorpus' };

export function optionOf(name: OptionName): Option {
  return options[name] as Option;
}

export function pythonName(name: OptionName): string {
  return optionOf(name).python.name ?? separated(name, '_');
}

/** `maxSeqLength` → `max-seq-length`, as the command line spells it. */
export function kebabName(name: string): string {
  return separated(name, '-');
}

/** All spellings under which an option is accepted, ours first. */
export function spellings(name: OptionName): string[] {
  const others = Object.keys(aliases).filter((alias) => aliases[alias] === name);
  const python = [pythonName(name), ...others];
  return [...new Set([name, ...python.map(camelCase), ...python])];
}

const byKey = new Map(optionNames.flatMap((name) => spellings(name).map((key) => [key, name] as const)));

export function optionNamed(key: string): OptionName | undefined {
  return byKey.get(key);
}

export function acceptedKeys(): Iterable<string> {
  return byKey.keys();
}

function separated(name: string, separator: string): string {
  return name.replace(/[A-Z]/g, (letter) => separator + letter.toLowerCase());
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
