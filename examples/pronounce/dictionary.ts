import { createHash } from 'node:crypto';
import { dictionary } from 'cmu-pronouncing-dictionary';

/** A word and how it may be said: phonemes with spaces between them, the usual pronunciation first. */
export interface Entry {
  readonly word: string;
  readonly pronunciations: readonly string[];
}

/**
 * The CMU Pronouncing Dictionary. Its variants, `read` and `read(2)`, become one entry; comments and the digits for
 * stress are dropped, as published work on spelling to sound does.
 */
export function readDictionary(): Entry[] {
  const entries = new Map<string, Set<string>>();
  for (const [name, phonemes] of Object.entries(dictionary)) {
    const word = name.replace(/\(\d+\)$/, '');
    const pronunciation = phonemes.replace(/ #.*$/, '').replace(/\d/g, '');
    entries.set(word, (entries.get(word) ?? new Set()).add(pronunciation));
  }
  return Array.from(entries, ([word, pronunciations]) => ({ word, pronunciations: [...pronunciations] }));
}

export type Part = 'train' | 'dev' | 'test';

/** Per cent of the words; the rest is for training. */
const HELD_OUT = { dev: 5, test: 10 };

/** The entries of each part. A word falls on its side with all its pronunciations, so that those of a test are unseen. */
export function split(entries: readonly Entry[]): Record<Part, Entry[]> {
  const parts: Record<Part, Entry[]> = { train: [], dev: [], test: [] };
  for (const entry of entries) parts[partOf(entry.word)].push(entry);
  return parts;
}

/** Decided by a hash of the word under a fixed seed: neither other words nor their order move it. */
export function partOf(word: string, seed = 1): Part {
  const drawn = createHash('sha256').update(`${seed} ${word}`).digest().readUInt32BE() % 100;
  if (drawn < HELD_OUT.test) return 'test';
  return drawn < HELD_OUT.test + HELD_OUT.dev ? 'dev' : 'train';
}
