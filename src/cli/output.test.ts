import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
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

it('leaves nothing where nothing was written', () => {
  expect(openOutput(path).discard()).toBeUndefined();
  expect(readdirSync(folder)).toEqual([]);
});

describe('what a stopped run left', () => {
  const left = `${path}.999999999.partial`;

  it('is said, and kept from being overwritten', async () => {
    const output = openOutput(path);
    await output.write('a\n');
    expect(output.discard()).toBe(`${path}.${process.pid}.partial`);
    expect(readdirSync(folder)).toEqual([`answers.txt.${process.pid}.partial`]);
    expect(() => openOutput(path)).toThrow(
      /^predict: .*partial has the answers of a run that was stopped\. Go on behind them with --resume, or remove it\.$/,
    );
  });

  it.each([
    ['', 1, 0, ''],
    ['a\nb\n', 1, 2, 'a\nb\n'],
    ['a\nb\nhal', 1, 2, 'a\nb\n'],
    ['a\nb\nc\nd\ne\n', 2, 2, 'a\nb\nc\nd\n'],
    [`${'x'.repeat(3_000_000)}\n\nhalf`, 1, 2, `${'x'.repeat(3_000_000)}\n\n`],
  ])('is gone on with behind its last whole answer', async (content, linesPerText, texts, whole) => {
    writeFileSync(left, content);
    const output = openOutput(path, { resume: true });
    expect(output.resume(linesPerText)).toBe(texts);
    await output.write('z\n');
    output.keep();
    expect(readFileSync(path, 'utf8')).toBe(`${whole}z\n`);
    expect(readdirSync(folder)).toEqual(['answers.txt']);
  });

  it('may be the whole file, or nothing', async () => {
    writeFileSync(path, 'a\n');
    const output = openOutput(path, { resume: true });
    expect(output.resume(1)).toBe(1);
    await output.write('b\n');
    expect(readFileSync(path, 'utf8')).toBe('a\n');
    output.keep();
    expect(readFileSync(path, 'utf8')).toBe('a\nb\n');
    rmSync(path);
    const fresh = openOutput(path, { resume: true });
    expect(fresh.resume(1)).toBe(0);
    fresh.discard();
  });

  it('belongs to a process that still writes it', () => {
    writeFileSync(`${path}.${process.ppid}.partial`, 'a\n');
    for (const resume of [true, false]) {
      expect(() => openOutput(path, { resume })).toThrow(`is being written by process ${process.ppid}. Wait for it`);
    }
  });

  it('needs a file', () => {
    expect(() => openOutput(undefined, { resume: true })).toThrow('--resume: needs a file');
    expect(() => openOutput('/dev/null', { resume: true })).toThrow('--resume: /dev/null is no file');
  });
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
