import { finite, label, rangeOf, type Series, thinned, ticks } from './axis.js';

export interface TerminalPlot {
  /** Characters of a line, the axis among them. */
  readonly width: number;
  /** Lines of the curve. */
  readonly height: number;
}

/** A character of Braille is two dots wide and four high; these are its bits, by row and column. */
const DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;
const BRAILLE = 0x2800;
/** Of the horizontal axis; stands to the right of its numbers. */
const NAME = '  step';
/** The mark of a series other than the first, which is a line: its points are few. */
const MARKS = ['', '●', '▲', '■'];

/** Curves for the terminal: the first series as a line, others as marks, with axes and, of several, a legend. */
export function plotTerminal(series: readonly Series[], { width, height }: TerminalPlot): string {
  const all = series.map(finite);
  if (all.every((points) => points.length === 0)) return 'There is nothing to draw yet.\n';
  const steps = rangeOf(all.flatMap((points) => points.map(({ step }) => step)));
  const drawn = all.map((points) => thinned(points, steps, 4 * width));
  const values = rangeOf(drawn.flatMap((points) => points.map(({ value }) => value)));
  const marksAt = ticks(values, Math.max(1, Math.floor(height / 2)));
  const margin = Math.max(...marksAt.map((tick) => label(tick).length));
  const columns = Math.max(8, width - margin - 2 - NAME.length);

  const x = (step: number) => ((step - steps.low) / (steps.high - steps.low)) * (2 * columns - 1);
  const y = (value: number) => ((values.high - value) / (values.high - values.low)) * (4 * height - 1);
  const cells = Array.from({ length: height }, () => new Uint16Array(columns));
  const dot = (px: number, py: number) => {
    const [column, row] = [Math.round(px), Math.round(py)];
    cells[row >> 2]![column >> 1]! |= DOTS[row & 3]![column & 1]!;
  };
  const line = drawn[0] ?? [];
  for (const [i, point] of line.entries()) {
    const from = line[Math.max(0, i - 1)]!;
    const [dx, dy] = [x(point.step) - x(from.step), y(point.value) - y(from.value)];
    const count = Math.max(1, Math.ceil(Math.max(Math.abs(dx), Math.abs(dy))));
    for (let k = 0; k <= count; k++) dot(x(from.step) + (dx * k) / count, y(from.value) + (dy * k) / count);
  }
  const text = cells.map((row) => Array.from(row, (bits) => (bits === 0 ? ' ' : String.fromCodePoint(BRAILLE + bits))));
  for (const [which, points] of drawn.entries()) {
    // Of a line with one point alone nothing would be seen.
    if (which === 0 && points.length > 1) continue;
    for (const { step, value } of points)
      text[Math.round(y(value)) >> 2]![Math.round(x(step)) >> 1] = MARKS[which] || '×';
  }

  const ticksByRow = new Map(marksAt.map((tick) => [Math.round(y(tick)) >> 2, label(tick)]));
  const lines = text.map((row, i) => {
    const tick = ticksByRow.get(i);
    return `${(tick ?? '').padStart(margin)} ${tick === undefined ? '│' : '┤'}${row.join('').trimEnd()}`;
  });
  const legend =
    series.length > 1 ? series.map(({ name }, i) => `${MARKS[i] || '⠒⠒'} ${name}`).join('   ') : series[0]!.name;
  return [`${' '.repeat(margin + 2)}${legend}`, ...lines, ...stepAxis(steps, columns, margin)]
    .map((row) => `${row.slice(0, Math.max(width, margin + 10 + NAME.length))}\n`)
    .join('');
}

function stepAxis(steps: { low: number; high: number }, columns: number, margin: number): string[] {
  const rule = new Array<string>(columns).fill('─');
  const names = new Array<string>(columns).fill(' ');
  let free = 0;
  for (const tick of ticks(steps, Math.max(2, Math.floor(columns / 12))).filter(Number.isInteger)) {
    const column = Math.round(((tick - steps.low) / (steps.high - steps.low)) * (columns - 1));
    rule[column] = '┬';
    const name = label(tick);
    const start = Math.min(columns - name.length, Math.max(0, column - (name.length >> 1)));
    if (start < free) continue;
    for (const [i, character] of [...name].entries()) names[start + i] = character;
    free = start + name.length + 1;
  }
  const indent = ' '.repeat(margin + 1);
  return [`${indent}└${rule.join('')}`, `${indent} ${names.join('').trimEnd()}${NAME}`];
}
