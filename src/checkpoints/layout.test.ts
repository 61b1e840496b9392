import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { checkpointLayout } from './layout.js';
import { openCheckpoint } from './open.js';

const fixtures = path.resolve(import.meta.dirname, '../../tests/fixtures/checkpoints');
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'layout-'));
afterAll(() => fs.rmSync(scratch, { recursive: true }));

let used = 0;
function directoryWith(...names: readonly string[]): string {
  const directory = path.join(scratch, String(used++));
  fs.mkdirSync(directory);
  for (const name of names) {
    const place = path.join(directory, name);
    fs.mkdirSync(name.endsWith('/') ? place : path.dirname(place), { recursive: true });
    if (!name.endsWith('/')) fs.writeFileSync(place, '');
  }
  return directory;
}

const both = ['encoder/config.json', 'decoder/config.json'];

test.each([
  ['a model', ['config.json', 'pytorch_model.bin'], 'single'],
  ['shards', ['config.json', 'model.safetensors.index.json'], 'single'],
  ['a config without weights, for whose lack opening has the words', ['config.json'], 'single'],
  ['a model beside one of the folders', ['config.json', 'encoder/config.json'], 'single'],
  ['a model beside both folders', ['config.json', 'model.safetensors', ...both], 'single'],
  ['two folders', ['model_args.json', ...both], 'encoder+decoder'],
  ['two folders beside a config without weights', ['config.json', ...both], 'encoder+decoder'],
] as const)('%s', (_, names, layout) => {
  expect(checkpointLayout(directoryWith(...names))).toBe(layout);
});

test.each([
  ['the decoder missing', ['encoder/config.json'], 'has no decoder/config.json. A model in the folders'],
  ['the encoder missing', ['decoder/config.json', 'decoder/vocab.txt'], 'has no encoder/config.json. A model in'],
  [
    'a half without config',
    ['encoder/config.json', 'decoder/model.safetensors'],
    'has no decoder/config.json. A model in',
  ],
  ['empty folders', ['encoder/', 'decoder/'], 'has no encoder/config.json and decoder/config.json. A model in'],
  ['nothing', [], 'has no config.json. Give a directory that holds a model'],
  ['weights alone', ['model.safetensors'], 'has no config.json. Give a directory that holds a model'],
] as const)('%s', (_, names, message) => {
  const directory = directoryWith(...names);
  expect(() => checkpointLayout(directory)).toThrow(`checkpoint: ${directory} ${message}`);
});

test('no directory, and a file', () => {
  const directory = directoryWith('file');
  expect(() => checkpointLayout(path.join(directory, 'no'))).toThrow(
    /^checkpoint: the directory .*no cannot be read: it does/,
  );
  expect(() => checkpointLayout(path.join(directory, 'file'))).toThrow(
    /file cannot be read: a part of the path is not/,
  );
});

test('each folder opens by itself; one without weights says so', () => {
  const directory = directoryWith();
  fs.cpSync(path.join(fixtures, 'safetensors'), path.join(directory, 'encoder'), { recursive: true });
  fs.cpSync(path.join(fixtures, 'torch'), path.join(directory, 'decoder'), { recursive: true });
  expect(checkpointLayout(directory)).toBe('encoder+decoder');
  for (const half of ['encoder', 'decoder']) {
    const { weights, close } = openCheckpoint(path.join(directory, half));
    expect(weights.has('shared.weight')).toBe(true);
    close();
  }
  fs.rmSync(path.join(directory, 'decoder/pytorch_model.bin'));
  expect(() => openCheckpoint(path.join(directory, 'decoder'))).toThrow(
    /decoder has no weights: none of model\.safetensors/,
  );
});
