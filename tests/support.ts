import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { type LoadOptions, Seq2SeqModel, type TrainingLogEntry } from '../src/index.js';

/** A tiny BART that Transformers wrote, with train.tsv, eval.tsv, input.txt and what Transformers answers to them. */
export function fixture(name: 'base' | 'uneven', ...path: string[]): string {
  return fileURLToPath(new URL(['fixtures/bart', name, ...path].join('/'), import.meta.url));
}

/** Rows of a fixture's table. */
export function rowsOf(name: 'base' | 'uneven', table: 'train' | 'eval') {
  const [, ...lines] = readFileSync(fixture(name, `${table}.tsv`), 'utf8')
    .trimEnd()
    .split('\n');
  return lines.map((line) => {
    const [input_text, target_text] = line.split('\t') as [string, string];
    return { input_text, target_text };
  });
}

export function linesOf(name: 'base' | 'uneven'): string[] {
  return readFileSync(fixture(name, 'input.txt'), 'utf8').replace(/\n$/, '').split('\n');
}

/** A folder of the calling test file's own, removed behind it. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'seq2seq-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A copy of a fixture's directory, to be changed. */
export function copyOf(name: 'base' | 'uneven', target: string): string {
  cpSync(fixture(name), target, { recursive: true });
  return target;
}

/** A copy of any directory, to be changed. */
export function copyTree(from: string, target: string): string {
  cpSync(from, target, { recursive: true });
  return target;
}

/** Writes a copy of a JSON file with some fields changed; undefined removes a field. */
export function changeJson(file: string, changes: Record<string, unknown>): void {
  writeFileSync(file, JSON.stringify({ ...readJson(file), ...changes }));
}

export function readJson(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
}

export function readLog(outputDir: string): TrainingLogEntry[] {
  const lines = readFileSync(join(outputDir, 'training_log.jsonl'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as TrainingLogEntry);
}

/** Loads a BART without progress bars. */
export function loadBart(directory: string, { args, ...options }: LoadOptions = {}): Promise<Seq2SeqModel> {
  return Seq2SeqModel.load({
    encoderDecoderType: 'bart',
    encoderDecoderName: directory,
    ...options,
    args: { silent: true, threads: 2, ...args },
  });
}

export const allDropout = { dropout: 0.2, attention_dropout: 0.1, activation_dropout: 0.1 };
