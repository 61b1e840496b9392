import { type OptionName, optionNames, optionOf, pythonName } from './names.js';
import { expected, showDefault } from './option.js';
import { optionGroups } from './table.js';

const introduction = `# Options

Made from the table in \`src/args/table.ts\` by \`seq2seq options\`; edit it there.

In TypeScript an option has its camelCase name (\`numTrainEpochs\`), on the command line the same in kebab-case
(\`--num-train-epochs\`; \`--no-…\` turns a boolean off), and in JSON files either that or the Python name. A saved
\`model_args.json\` has the Python names, so that Simple Transformers and this package read each other's folders.

Unknown names and values of the wrong kind are errors. An option marked **refused** has no meaning here; it is accepted at its
default and refused otherwise, never ignored. In a \`model_args.json\` that comes with a model it is left out, with a warning.
`;

/** The documentation's page of all options. */
export function optionsMarkdown(): string {
  const groups = Object.entries(optionGroups).map(([title, group]) => {
    const rows = optionNames.filter((name) => name in group).map(row);
    return [`## ${title}`, '', ...table(rows)].join('\n');
  });
  return `${[introduction, ...groups].join('\n')}\n`.replace(/\n\n## /g, '\n\n## ');
}

function table(rows: string[][]): string[] {
  const head = ['Option', 'Python name', 'Value', 'Default', 'Meaning', 'Here'];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).concat('');
}

function row(name: OptionName): string[] {
  const { type, default: initial, description, status, note, python } = optionOf(name);
  const standing = 'reason' in status ? [`**${status.kind}**: ${status.reason}.`] : [];
  const theirs = 'default' in python ? [`The default there is \`${JSON.stringify(python.default)}\`.`] : [];
  const remarks = [...standing, ...(note === undefined ? theirs : [note])];
  const value = initial === undefined ? 'unset' : `\`${showDefault(initial)}\``;
  return [`\`${name}\``, `\`${pythonName(name)}\``, expected(type), value, description, remarks.join(' ')];
}
