import { finite, label, rangeOf, type Series, thinned, ticks } from './axis.js';

export interface SvgPlot {
  readonly title: string;
  readonly width?: number;
  readonly height?: number;
}

const MARGIN = { top: 52, right: 24, bottom: 44, left: 64 };
/** Told apart by most eyes, on light and dark. */
const COLORS = ['#2f6fde', '#d9622b', '#2a9d6f', '#9a5bd0'];
const STYLE = `text{font:12px system-ui,sans-serif;fill:#333}.title{font-size:15px;font-weight:600}
.grid{stroke:#ddd}.axis{stroke:#999}.back{fill:#fff}
@media(prefers-color-scheme:dark){text{fill:#ccc}.grid{stroke:#333}.axis{stroke:#777}.back{fill:#16181d}}`;

/** Curves over steps as a picture of its own, without scripts; light or dark as its reader prefers. */
export function plotSvg(series: readonly Series[], { title, width = 800, height = 420 }: SvgPlot): string {
  const all = series.map(finite);
  const steps = rangeOf(all.flatMap((points) => points.map(({ step }) => step)));
  const drawn = all.map((points) => thinned(points, steps, width));
  const values = rangeOf(drawn.flatMap((points) => points.map(({ value }) => value)));
  const right = width - MARGIN.right;
  const bottom = height - MARGIN.bottom;
  const x = (step: number) => MARGIN.left + ((step - steps.low) / (steps.high - steps.low)) * (right - MARGIN.left);
  const y = (value: number) => bottom - ((value - values.low) / (values.high - values.low)) * (bottom - MARGIN.top);
  const at = (number: number) => String(Math.round(number * 10) / 10);

  const rows = ticks(values, 6).map(
    (tick) =>
      `<line class="grid" x1="${MARGIN.left}" x2="${right}" y1="${at(y(tick))}" y2="${at(y(tick))}"/>` +
      `<text x="${MARGIN.left - 8}" y="${at(y(tick) + 4)}" text-anchor="end">${label(tick)}</text>`,
  );
  const columns = ticks(steps, Math.floor(width / 100))
    .filter(Number.isInteger)
    .map(
      (tick) =>
        `<line class="axis" x1="${at(x(tick))}" x2="${at(x(tick))}" y1="${bottom}" y2="${bottom + 5}"/>` +
        `<text x="${at(x(tick))}" y="${bottom + 19}" text-anchor="middle">${label(tick)}</text>`,
    );
  const curves = drawn.map((points, i) => {
    const color = COLORS[i % COLORS.length];
    const path = points.map(({ step, value }) => `${at(x(step))},${at(y(value))}`).join(' ');
    const isSparse = points.length <= 60;
    const dots = isSparse
      ? points.map(({ step, value }) => `<circle cx="${at(x(step))}" cy="${at(y(value))}" r="2.5" fill="${color}"/>`)
      : [];
    return `<polyline fill="none" stroke="${color}" stroke-width="1.6" stroke-linejoin="round" points="${path}"/>${dots.join('')}`;
  });
  let offset = MARGIN.left;
  const legend = series.map(({ name }, i) => {
    const entry =
      `<line x1="${offset}" x2="${offset + 18}" y1="38" y2="38" stroke="${COLORS[i % COLORS.length]}" stroke-width="3"/>` +
      `<text x="${offset + 24}" y="42">${escaped(name)}</text>`;
    offset += 24 + 7 * name.length + 22;
    return entry;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title><style>${STYLE}</style>`,
    `<rect class="back" width="${width}" height="${height}"/>`,
    `<text class="title" x="${MARGIN.left}" y="22">${escaped(title)}</text>`,
    ...legend,
    ...rows,
    `<line class="axis" x1="${MARGIN.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`,
    ...columns,
    `<text x="${right}" y="${height - 8}" text-anchor="end">step</text>`,
    ...curves,
    '</svg>\n',
  ].join('\n');
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
}
