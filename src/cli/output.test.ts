import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { openOutput } from './output.js';

const folder = mkdtempSync(join(tmpdir(), 'seq2seq-output-'));
const path = join(folder, 'answers.txt');
beforeEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
});
afterAll(() => rmSync(folder, { recursive: true }));

it('shows a file only when it is whole', async () => {
  writeFileSync(path, 'old');
  const output = openOutput(path);
  await output.write('a\n');
  await output.write('b\n');
  expect(readFileSync(path, 'utf8')).toBe('old');
  output.keep();
  output.discard();
  expect(readFileSync(path, 'utf8')).toBe('a\nb\n');
  expect(readdirSync(folder)).toEqual(['answers.txt']);
});

it('leaves nothing of what was not kept', async () => {
  const output = openOutput(path);
  await output.write('a\n');
  output.discard();
  expect(readdirSync(folder)).toEqual([]);
});

it('writes to where a link points', () => {
  const target = join(folder, 'target.txt');
  writeFileSync(target, 'old');
  symlinkSync(target, path);
  openOutput(path).keep();
  expect(readFileSync(target, 'utf8')).toBe('');
});

it('says why it cannot write', () => {
  expect(() => openOutput(join(folder, 'none', 'x'))).toThrow(
    /^predict: cannot write .*none.x: no such file or directory\./,
  );
  expect(() => openOutput(folder)).toThrow(/^predict: cannot write .*: illegal operation on a directory\./);
});
