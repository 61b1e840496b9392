import { readFileSync, writeFileSync } from 'node:fs';

/** Replaces what a file has between `<!-- name -->` and `<!-- end of name -->`. */
export function writeBetween(file: string, name: string, lines: readonly string[]): void {
  const text = readFileSync(file, 'utf8');
  const [from, to] = [`<!-- ${name} -->\n`, `<!-- end of ${name} -->`];
  const [start, end] = [text.indexOf(from), text.indexOf(to)];
  if (start < 0 || end < start)
    throw new Error(`${file} has no place for ${name}. Write ${from.trim()} and ${to} into it.`);
  writeFileSync(file, `${text.slice(0, start)}${from}${lines.join('\n')}\n${text.slice(end)}`);
}
