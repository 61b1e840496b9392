/** A line of a plot: numbers over steps. What is not finite is left out. */
export interface Series {
  readonly name: string;
  readonly points: readonly { readonly step: number; readonly value: number }[];
}

export interface Range {
  readonly low: number;
  readonly high: number;
}

/** Those points that can be drawn. */
export function finite({ points }: Series): Series['points'] {
  return points.filter(({ value }) => Number.isFinite(value));
}

/** From the lowest to the highest number; of one number alone, some room around it. */
export function rangeOf(values: Iterable<number>): Range {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return { low: 0, high: 1 };
  const room = low === high ? Math.abs(low) / 2 || 1 : 0;
  return { low: low - room, high: high + room };
}

/** At most about `count` round numbers within a range, a step of 1, 2 or 5 times a power of ten apart. */
export function ticks({ low, high }: Range, count: number): number[] {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999) ?? 10 * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** As an axis shows a number. */
export function label(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential().replace('e+', 'e');
  return String(Number(value.toPrecision(6)));
}

/**
 * At most two points for each of `buckets` columns, the lowest and the highest in it, so that a long run keeps its peaks.
 */
export function thinned(points: Series['points'], steps: Range, buckets: number): Series['points'] {
  if (points.length <= 2 * buckets) return points;
  const columns = new Map<number, { low: Series['points'][number]; high: Series['points'][number] }>();
  for (const point of points) {
    const column = Math.floor(((point.step - steps.low) / (steps.high - steps.low)) * buckets);
    const seen = columns.get(column);
    columns.set(column, {
      low: seen && seen.low.value <= point.value ? seen.low : point,
      high: seen && seen.high.value >= point.value ? seen.high : point,
    });
  }
  return [...columns.values()].flatMap(({ low, high }) =>
    low === high ? [low] : low.step < high.step ? [low, high] : [high, low],
  );
}
