import { fail } from '../errors.js';
import { LONGEST_RECORD } from './lines.js';

/** A record, and the line of the file it begins on. */
export interface DelimitedRecord {
  line: number;
  cells: string[];
}

/** Inside a cell: at its begin, in plain text, between quotes, or behind a quote that may have ended it. */
type State = 'begin' | 'plain' | 'quoted' | 'after-quote';

/**
 * The records of a comma- or tab-separated text, by the rules of pandas.read_csv: a cell that begins with a quote runs to the
 * next single one, over delimiters and newlines, and `""` in it is a quote; text behind the closing quote belongs to the cell;
 * a quote elsewhere is a character. Blank lines are no records. Lines end at `\n` or `\r\n`.
 */
export async function* parseDelimited(
  text: AsyncIterable<string>,
  delimiter: string,
  name: string,
): AsyncGenerator<DelimitedRecord> {
  const stop = new RegExp(`[${delimiter}\\n]`, 'g');
  let state: State = 'begin';
  let cell = '';
  let record: DelimitedRecord = { line: 1, cells: [] };
  let line = 1;
  let quoteLine = 0;

  for await (const piece of text) {
    for (let at = 0; at < piece.length; ) {
      if (state === 'quoted') {
        const quote = piece.indexOf('"', at);
        const end = quote < 0 ? piece.length : quote;
        const inside = piece.slice(at, end);
        cell += inside;
        line += newlines(inside);
        if (quote >= 0) state = 'after-quote';
        at = end + 1;
      } else if (piece[at] === '"' && state !== 'plain') {
        if (state === 'begin') quoteLine = line;
        else cell += '"';
        state = 'quoted';
        at++;
      } else {
        stop.lastIndex = at;
        const end = stop.exec(piece)?.index ?? piece.length;
        if (end > at) {
          cell += piece.slice(at, end);
          state = 'plain';
        }
        at = end + 1;
        if (end === piece.length) break;
        const ends = piece[end] === '\n';
        record.cells.push(ends && state === 'plain' && cell.endsWith('\r') ? cell.slice(0, -1) : cell);
        cell = '';
        state = 'begin';
        if (!ends) continue;
        line++;
        if (!isBlank(record)) yield record;
        record = { line, cells: [] };
      }
    }
    if (cell.length > LONGEST_RECORD)
      fail(
        'data',
        `${name}: the cell at line ${record.line} is longer than ${LONGEST_RECORD} characters. Is a quote left open?`,
      );
  }
  if (state === 'quoted')
    fail(
      'data',
      `${name}: the quote that opens at line ${quoteLine} is never closed. Close it, or write it as """" if the text has it.`,
    );
  if (state !== 'begin' || record.cells.length > 0) {
    record.cells.push(cell);
    if (!isBlank(record)) yield record;
  }
}

function isBlank({ cells }: DelimitedRecord): boolean {
  return cells.length === 1 && cells[0]!.trim() === '';
}

function newlines(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++;
  return count;
}
