import { createRequire } from 'node:module';
import path from 'node:path';
import { expect, it } from 'vitest';
import { documentedOptions, knowledgeTable, rowsOf } from '../../examples/docs/pages.js';
import { args } from '../../examples/docs/recipe.js';
import { parseArgs } from '../../src/index.js';

const pages = path.join(path.dirname(createRequire(import.meta.url).resolve('undici/package.json')), 'docs/docs/api');
const options = documentedOptions(pages);

it('finds the options that the pages of undici list', () => {
  expect(options.length).toBeGreaterThan(100);
  const timeout = options.find(({ page, name }) => page === 'Class: Client' && name === 'bodyTimeout');
  expect(timeout).toMatchObject({ type: 'number | null', initial: '300e3' });
  expect(timeout!.text).toMatch(/^bodyTimeout number \| null \(optional\) - Default: 300e3 - The timeout/);
});

it('asks for each in words that are not those of the test', () => {
  const { train, test } = rowsOf(options);
  const seen = new Set(train.map(({ input_text }) => input_text));
  expect(train.length).toBe(3 * test.length);
  expect(test.some(({ input_text }) => seen.has(input_text))).toBe(false);
});

it('makes a table of titles and texts, and options that are there', () => {
  const rows = knowledgeTable(options).trimEnd().split('\n');
  expect(rows).toHaveLength(options.length);
  expect(rows.every((row) => /^"[^"]*(""[^"]*)*"\t"[^"]*(""[^"]*)*"$/.test(row))).toBe(true);
  expect(parseArgs(args).trainBatchSize).toBe(16);
});
