import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** An option as the pages of a package describe it. */
export interface DocumentedOption {
  /** Of the page: `Class: Client`. */
  readonly page: string;
  readonly name: string;
  /** `number | null` */
  readonly type: string;
  /** `300e3`; undefined where the page names none. */
  readonly initial: string | undefined;
  /** The whole line, without marks. */
  readonly text: string;
}

const OPTION = /^\s*\* \*\*(\w+)\*\*:? `([^`]+)`(.*)$/;
const DEFAULT = /Default: `([^`]+)`/;

/** The options that pages in Markdown list, line by line; a line that several pages have counts once. */
export function documentedOptions(directory: string): DocumentedOption[] {
  const found = new Map<string, DocumentedOption>();
  for (const file of readdirSync(directory)
    .filter((name) => name.endsWith('.md'))
    .sort()) {
    const lines = readFileSync(path.join(directory, file), 'utf8').split('\n');
    const page = (lines.find((line) => line.startsWith('# ')) ?? file).replace(/^# /, '').replaceAll('`', '');
    for (const line of lines) {
      const [, name, type, rest] = OPTION.exec(line) ?? [];
      if (name === undefined || type === undefined || rest === undefined) continue;
      const text = line
        .trim()
        .replace(/^\* /, '')
        .replaceAll('**', '')
        .replaceAll('`', '')
        .replace(/\[([^\]]+)\]\([^)]*\)/g, '$1');
      const key = `${page} ${name}`;
      if (!found.has(key)) found.set(key, { page, name, type, initial: DEFAULT.exec(rest)?.[1], text });
    }
  }
  return [...found.values()];
}

export interface Row {
  readonly input_text: string;
  readonly target_text: string;
}

/** Ways to ask; the last of each is kept for the test. */
const ASK_TYPE = [
  (o: DocumentedOption) => `which type has ${o.name} of ${short(o)} ?`,
  (o: DocumentedOption) => `what is the type of the option ${o.name} in ${short(o)} ?`,
  (o: DocumentedOption) => `${short(o)} : type of ${o.name} ?`,
  (o: DocumentedOption) => `of what type is ${o.name} ( ${short(o)} ) ?`,
];
const ASK_DEFAULT = [
  (o: DocumentedOption) => `what is the default of ${o.name} in ${short(o)} ?`,
  (o: DocumentedOption) => `which value has ${o.name} of ${short(o)} by default ?`,
  (o: DocumentedOption) => `${short(o)} : default of ${o.name} ?`,
  (o: DocumentedOption) => `if I do not set ${o.name} of ${short(o)} , what is it ?`,
];

const short = ({ page }: DocumentedOption) => page.replace(/^Class: /, '');

/** Questions about options with their answers: in some words to learn from, in others to be tested with. */
export function rowsOf(options: readonly DocumentedOption[]): { train: Row[]; test: Row[] } {
  const rows = { train: [] as Row[], test: [] as Row[] };
  for (const option of options) {
    const asked = [
      [ASK_TYPE, option.type],
      [ASK_DEFAULT, option.initial],
    ] as const;
    for (const [ways, answer] of asked) {
      if (answer === undefined) continue;
      for (const [i, ask] of ways.entries()) {
        rows[i === ways.length - 1 ? 'test' : 'train'].push({ input_text: ask(option), target_text: answer });
      }
    }
  }
  return rows;
}

/** The knowledge as a TSV file: page and line. */
export function knowledgeTable(options: readonly DocumentedOption[]): string {
  const cell = (text: string) => `"${text.replaceAll('"', '""')}"`;
  return options.map(({ page, text }) => `${cell(page)}\t${cell(text)}\n`).join('');
}
