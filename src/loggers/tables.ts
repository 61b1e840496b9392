/** Options as a table in Markdown. */
export function optionsTable(options: Readonly<Record<string, unknown>>): string {
  const rows = Object.entries(options).map(([name, value]) => [
    name,
    value === undefined ? 'unset' : (JSON.stringify(value) ?? String(value)),
  ]);
  return table(['Option', 'Value'], rows);
}

/** Generated texts beside what they should be, as a table in Markdown. */
export function samplesTable(
  samples: readonly { readonly source: string; readonly truth: string; readonly prediction: string }[],
): string {
  return table(
    ['Source', 'True text', 'Prediction'],
    samples.map(({ source, truth, prediction }) => [source, truth, prediction]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows.map((cells) => cells.map(cell))];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** A text that stays in its cell and is shown as it is. */
function cell(text: string): string {
  const short = text.length > 400 ? `${text.slice(0, 399)}…` : text;
  return short.replace(/[\\|`*_<>]/g, (character) => `\\${character}`).replace(/\s*[\r\n]\s*/g, ' ');
}
