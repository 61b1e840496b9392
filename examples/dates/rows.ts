import { createHash } from 'node:crypto';
import { type Day, english, german, type Style } from './words.js';

export interface Row {
  readonly input_text: string;
  readonly target_text: string;
}

export type Part = 'train' | 'test';

const YEARS = { first: 1600, last: 2099 };
/** Per cent of the years that no row to train on is of. */
const HELD_OUT = 10;
const DAY = 24 * 60 * 60 * 1000;

/** So many different days of each part, English and German, in the same order every time. */
export function createRows(sizes: Readonly<Record<Part, number>>): Record<Part, Row[]> {
  const drawn = days()
    .map((day) => ({ day, draw: hash(`day ${day.toISOString()}`) }))
    .sort((a, b) => a.draw - b.draw);
  const rowsOf = (part: Part) =>
    drawn
      .filter(({ day }) => partOf(day.getUTCFullYear()) === part)
      .slice(0, sizes[part])
      .map(({ day, draw }) => createRow(day, { monthFirst: (draw & 1) === 1, weekday: (draw & 2) === 2 }));
  return { train: rowsOf('train'), test: rowsOf('test') };
}

export function createRow(day: Day, style: Style): Row {
  return { input_text: english(day, style), target_text: german(day, style) };
}

/** By whole years, so that a test asks for numbers never heard before, not only for new combinations of day and year. */
export function partOf(year: number): Part {
  return hash(`year ${year}`) % 100 < HELD_OUT ? 'test' : 'train';
}

function days(): Day[] {
  const first = Date.UTC(YEARS.first, 0, 1);
  const count = Math.round((Date.UTC(YEARS.last + 1, 0, 1) - first) / DAY);
  return Array.from({ length: count }, (_, i) => new Date(first + i * DAY));
}

/** A number below 2³² that the text alone decides. */
function hash(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE();
}
