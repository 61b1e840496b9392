import { createHash } from 'node:crypto';
import { type Day, english, german, type Style } from './words.js';

export interface Row {
  readonly input_text: string;
  readonly target_text: string;
}

export type Part = 'train' | 'test';

/** Per cent of the years that no row to train on is of. */
const HELD_OUT = 10;

const DAY = 24 * 60 * 60 * 1000;
/** From 1200 to 2099, by the Gregorian calendar throughout, also before there was one. */
const FIRST = Date.UTC(1200, 0, 1);
const DAYS = (Date.UTC(2100, 0, 1) - FIRST) / DAY;

/** So many different days of each part, English and German, the same every time. */
export function createRows(sizes: Readonly<Record<Part, number>>): Record<Part, Row[]> {
  const rows: Record<Part, Row[]> = { train: [], test: [] };
  const seen = new Set<number>();
  for (let i = 0; rows.train.length < sizes.train || rows.test.length < sizes.test; i++) {
    const [number, style] = hash(`draw ${i}`);
    const day = new Date(FIRST + (number % DAYS) * DAY);
    const part = partOf(day.getUTCFullYear());
    if (seen.has(day.getTime()) || rows[part].length === sizes[part]) continue;
    seen.add(day.getTime());
    rows[part].push(createRow(day, { monthFirst: (style & 1) === 1, weekday: (style & 2) === 2 }));
  }
  return rows;
}

export function createRow(day: Day, style: Style): Row {
  return { input_text: english(day, style), target_text: german(day, style) };
}

/** By whole years, so that a test asks for numbers never heard before, not only for new combinations of day and year. */
export function partOf(year: number): Part {
  return hash(`year ${year}`)[0] % 100 < HELD_OUT ? 'test' : 'train';
}

/** Two numbers below 2³² that the text alone decides. */
function hash(text: string): [number, number] {
  const digest = createHash('sha256').update(text).digest();
  return [digest.readUInt32BE(0), digest.readUInt32BE(4)];
}
