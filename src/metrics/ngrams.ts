/** How often each run of `order` items occurs. Items must not hold the separator. */
export function ngramCounts(items: readonly string[], order: number, separator = '\u0000'): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + order <= items.length; i++) {
    const ngram = order === 1 ? items[i]! : items.slice(i, i + order).join(separator);
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return counts;
}

/** How many n-grams of one are met in the other, each as often as it occurs there. */
export function matches(counts: ReadonlyMap<string, number>, others: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const [ngram, count] of counts) total += Math.min(count, others.get(ngram) ?? 0);
  return total;
}
