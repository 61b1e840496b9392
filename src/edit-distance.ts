/** The fewest insertions, deletions and substitutions of items that turn one sequence into the other (Levenshtein 1965). */
export function editDistance(a: ArrayLike<string>, b: ArrayLike<string>): number {
  const numbers = new Map<string, number>();
  const numbered = (items: ArrayLike<string>) =>
    Uint32Array.from(items, (item) => {
      const number = numbers.get(item) ?? numbers.size;
      numbers.set(item, number);
      return number;
    });
  const [from, to] = [numbered(a), numbered(b)];
  let previous = Uint32Array.from({ length: to.length + 1 }, (_, j) => j);
  let current = new Uint32Array(to.length + 1);
  for (let i = 1; i <= from.length; i++) {
    current[0] = i;
    for (let j = 1; j <= to.length; j++) {
      const substitution = previous[j - 1]! + Number(from[i - 1] !== to[j - 1]);
      current[j] = Math.min(substitution, previous[j]! + 1, current[j - 1]! + 1);
    }
    [previous, current] = [current, previous];
  }
  return previous[to.length]!;
}
