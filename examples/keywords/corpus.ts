import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** A word as the Brown Corpus has it, `Jury/nn-tl`. */
export interface Word {
  readonly text: string;
  readonly tag: string;
}

/** A sentence, and its keywords as one text: `jury, investigation, city committee`. */
export interface Row {
  readonly input_text: string;
  readonly target_text: string;
}

/** Words of a sentence with its punctuation. Shorter ones are headings; longer ones would cost more time than they teach. */
const LENGTH = { least: 5, most: 14 };

/** Every sentence of the right length that has a noun, once. */
export function readCorpus(directory: string): Row[] {
  const rows = new Map<string, Row>();
  for (const file of readdirSync(directory)
    .filter((name) => /^c[a-r]\d\d$/.test(name))
    .sort()) {
    for (const line of readFileSync(path.join(directory, file), 'latin1').split('\n')) {
      const words = parseSentence(line);
      if (words.length < LENGTH.least || words.length > LENGTH.most) continue;
      const row = { input_text: written(words), target_text: keywords(words).join(', ') };
      if (row.target_text) rows.set(row.input_text, row);
    }
  }
  return [...rows.values()];
}

export function parseSentence(line: string): Word[] {
  return line
    .split(/\s+/)
    .filter(Boolean)
    .map((word) => ({ text: word.slice(0, word.lastIndexOf('/')), tag: word.slice(word.lastIndexOf('/') + 1) }));
}

/** Nouns (`nn`), names (`np`) and adverbial nouns such as `today` (`nr`), in all their forms, also foreign ones (`fw-`). */
const NOUN = /^(fw-)?(nn|np|nr)/;

/** The nouns of a sentence in their order, in lower case and without a possessive; those that stand together are one keyword. */
export function keywords(words: readonly Word[]): string[] {
  const runs: string[][] = [[]];
  for (const { text, tag } of words) {
    if (NOUN.test(tag)) runs.at(-1)!.push(text.toLowerCase().replace(/'s?$/, ''));
    else if (runs.at(-1)!.length > 0) runs.push([]);
  }
  return runs.filter((run) => run.length > 0).map((run) => run.join(' '));
}

/** As it is printed: quotes are quotes, and no space before punctuation. */
function written(words: readonly Word[]): string {
  return words
    .map(({ text }) => text)
    .join(' ')
    .replace(/`` | ''/g, '"')
    .replace(/ ([.,;:?!])/g, '$1');
}

export type Part = 'train' | 'test';

/** Per cent of the sentences. */
const HELD_OUT = 10;

export function split(rows: readonly Row[]): Record<Part, Row[]> {
  const parts: Record<Part, Row[]> = { train: [], test: [] };
  for (const row of shuffled(rows)) parts[draw(row) % 100 < HELD_OUT ? 'test' : 'train'].push(row);
  return parts;
}

/** In the order of a hash, so that the first thousand are of every kind of text, and the same every time. */
function shuffled(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => draw(a) - draw(b));
}

function draw(row: Row): number {
  return createHash('sha256').update(row.input_text).digest().readUInt32BE();
}
