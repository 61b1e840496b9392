import { formatType, type Node, nodesOf, type Value } from './node.js';

/**
 * A graph as text, one operation a line, for tests and for reading:
 * `%2: float32[tokens, 8] = linear(%0, %1)`.
 */
export function print(outputs: Readonly<Record<string, Value>>): string {
  const names = new Map<Value, string>();
  const lines: string[] = [];
  for (const node of nodesOf(Object.values(outputs))) {
    const results = node.outputs.map((value) => {
      names.set(value, `%${names.size}`);
      return `${names.get(value)}: ${formatType(value)}`;
    });
    lines.push(
      `${results.join(', ')} = ${node.op}${formatAttributes(node)}(${node.inputs.map((value) => names.get(value)).join(', ')})`,
    );
  }
  for (const [name, value] of Object.entries(outputs)) lines.push(`${name} = ${names.get(value)}`);
  return lines.join('\n');
}

function formatAttributes(node: Node): string {
  const entries = Object.entries(node.attributes);
  if (entries.length === 0) return '';
  const format = (value: unknown) =>
    Array.isArray(value)
      ? `[${value.length > 8 ? `${value.slice(0, 8).join(', ')}, …` : value.join(', ')}]`
      : String(value);
  return `{${entries.map(([name, value]) => `${name}: ${format(value)}`).join(', ')}}`;
}
