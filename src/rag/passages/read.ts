import { statSync } from 'node:fs';
import { parseDelimited, readText } from '../../data/index.js';
import { fail } from '../../errors.js';
import type { Passage } from '../passage.js';
import { splitText } from './split.js';

export interface PassageOptions {
  /** Occurrences of the character after which a passage ends. */
  readonly splitTextN: number;
  readonly splitTextCharacter: string;
  /** Whether the file has a column of titles before that of texts. */
  readonly includeTitle: boolean;
  readonly encoding?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PassageReading extends PassageOptions {
  /** Hears at the end how many rows had no text, and the lines of the first of them. */
  readonly onSkipped?: (count: number, lines: readonly number[]) => void;
}

/** In UTF-16 units: beyond it a passage is no passage, and tokenising it would take all day. */
const LONGEST_PASSAGE = 100_000;
const MOST_NAMED = 10;

/**
 * The passages of a tab-separated file of titles and texts, without a header or with one that says `title` and `text`. Cells are
 * quoted as pandas reads them. Rows without a text are left out, as are passages without one.
 */
export async function* readPassages(
  file: string,
  { includeTitle, encoding, signal, onSkipped, ...rule }: PassageReading,
): AsyncGenerator<Passage> {
  if (rule.splitTextCharacter === '')
    fail('knowledge', 'splitTextCharacter is empty. Give what is between words: " ".');
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats?.isFile())
    fail('knowledge', `${file} is ${stats ? 'a directory' : 'not there'}. Give a TSV file of titles and texts.`);
  const columns = includeTitle ? ['title', 'text'] : ['text'];
  let [rows, found, skipped] = [0, 0, 0];
  const lines: number[] = [];
  for await (const { line, cells } of parseDelimited(readText(file, encoding), '\t', file)) {
    signal?.throwIfAborted();
    if (rows++ === 0 && cells.map((cell) => cell.trim().toLowerCase()).join('\t') === columns.join('\t')) continue;
    if (cells.length !== columns.length) refuseCells(file, line, cells, columns);
    const text = cells.at(-1)!;
    const title = includeTitle ? cells[0]! : '';
    let ofRow = 0;
    for (const passage of splitText(text, rule)) {
      if (passage.length > LONGEST_PASSAGE) {
        fail(
          'knowledge',
          `${file}, line ${line}: a passage has ${passage.length} characters, of ${LONGEST_PASSAGE} at most: ` +
            `${JSON.stringify(rule.splitTextCharacter)} (splitTextCharacter) occurs too rarely in it. Choose another, or shorten the text.`,
        );
      }
      ofRow++;
      yield { title, text: passage };
    }
    found += ofRow;
    if (ofRow > 0) continue;
    skipped++;
    if (lines.length < MOST_NAMED) lines.push(line);
  }
  if (found === 0) {
    fail(
      'knowledge',
      skipped > 0
        ? `${file} has no passages: the texts of all its ${skipped} rows are empty. Give rows with a text.`
        : `${file} has no rows. Give at least one, of a title and a text with a tab between them.`,
    );
  }
  if (skipped > 0) onSkipped?.(skipped, lines);
}

function refuseCells(file: string, line: number, cells: readonly string[], columns: readonly string[]): never {
  const start = JSON.stringify(cells[0]!.slice(0, 40));
  const wanted = columns.join(' and ');
  const hint =
    cells.length > columns.length
      ? 'Put a text that has tabs in it between quotes.'
      : 'Put a tab between title and text, or set includeTitleInCorpus to false for a file of texts alone.';
  return fail(
    'knowledge',
    `${file}, line ${line} (${start}): it has ${cells.length} ${cells.length === 1 ? 'column' : 'columns'}, where ${columns.length} are needed (${wanted}). ${hint}`,
  );
}
