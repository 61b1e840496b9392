import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { optionsMarkdown } from '../../src/args/index.js';
import { program } from '../cli/program.js';
import { fixture, temporaryFolder } from '../support.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = temporaryFolder();
const pages = [
  ...['README.md', 'CHANGELOG.md', 'scripts/reference/README.md'],
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
].filter((name) => name.endsWith('.md'));
const read = (page: string) => readFileSync(join(root, page), 'utf8');

/** A page without its blocks of code. */
const prose = (page: string) => read(page).replace(/^```[\s\S]*?^```$/gm, '');

/** The blocks of a page that open with "```LANGUAGE run". */
function blocks(page: string, language: 'ts' | 'sh'): string[] {
  return [...read(page).matchAll(/^```(\w+) run\n([\s\S]*?)^```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , code]) => code!);
}

/** GitHub's anchors of a page's headings. */
function anchors(page: string): string[] {
  const headings = [...prose(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading!);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe.each(pages)('%s', (page) => {
  it('links to what is there', () => {
    const links = [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
    const broken = links.filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [path, anchor] = link.split('#') as [string, string?];
      const target = path === '' ? page : relative(root, join(root, dirname(page), path));
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && !anchors(target).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  it('names functions that are in the files it names', () => {
    // `name` ([file](path))
    const named = [...prose(page).matchAll(/`([\w.#]+)`\s\(\[[^\]]+\]\(([^)#]+)\)\)/g)];
    const missing = named.filter(([, name, path]) => {
      const text = readFileSync(join(root, dirname(page), path!), 'utf8');
      return !new RegExp(`\\b${name!.split(/[.#]/).at(-1)}\\b`).test(text);
    });
    expect(missing.map(([text]) => text)).toEqual([]);
    if (page === 'docs/architecture.md') expect(named.length).toBeGreaterThan(30);
  });
});

it('docs/options.md is what the table of options says; npm run docs writes it anew', () => {
  expect(read('docs/options.md')).toBe(optionsMarkdown());
});

/** A directory like a reader's: the package installed, a model, some data. */
function readersFolder(page: string): string {
  const place = join(folder, page.replaceAll('/', '-'));
  mkdirSync(join(place, 'node_modules', '.bin'), { recursive: true });
  symlinkSync(root, join(place, 'node_modules', 'simple-seq2seq'), 'dir');
  symlinkSync(join(root, 'node_modules', '@types'), join(place, 'node_modules', '@types'), 'dir');
  writeFileSync(
    join(place, 'node_modules', '.bin', 'seq2seq'),
    `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`,
    {
      mode: 0o755,
    },
  );
  writeFileSync(join(place, 'package.json'), '{"type": "module"}');
  cpSync(fixture('base'), join(place, 'bart-base'), { recursive: true });
  for (const name of ['train.tsv', 'eval.tsv']) cpSync(fixture('base', name), join(place, name));
  cpSync(fixture('base', 'input.txt'), join(place, 'texts.txt'));
  const rag = join(root, 'tests', 'fixtures', 'rag');
  for (const [from, to] of [
    ['token', 'rag-token'],
    ['context_encoder', 'dpr-ctx-encoder'],
    ['knowledge.tsv', 'knowledge.tsv'],
    ['token/train.tsv', 'questions.tsv'],
  ] as const) {
    cpSync(join(rag, from), join(place, to), { recursive: true });
  }
  return place;
}

function run(place: string, command: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: place, encoding: 'utf8' });
  expect(status, `${stdout}\n${stderr}`).toBe(0);
  return stdout;
}

const runnable = pages.filter((page) => /^```\w+ run$/m.test(read(page)));

describe.each(runnable)('what %s shows', (page) => {
  it('has right types and runs', { timeout: 180_000 }, () => {
    const place = readersFolder(page);
    const code = blocks(page, 'ts').join('\n');
    if (code !== '') {
      writeFileSync(join(place, 'page.ts'), code);
      const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
      const flags = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node', '--skipLibCheck'];
      expect(run(place, process.execPath, [tsc, ...flags, 'page.ts'])).toBe('');
      expect(run(place, process.execPath, ['page.js'])).not.toBe('');
    }
    for (const script of blocks(page, 'sh'))
      expect(run(place, 'bash', ['-euo', 'pipefail', '-c', script])).not.toBe('');
  });
});
