import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { Seq2SeqError } from '../errors.js';
import { openCheckpoint, openWeights } from './open.js';
import type { Weight } from './weight.js';

const fixtures = path.resolve(import.meta.dirname, '../../tests/fixtures/checkpoints');
const expected: Record<string, Record<string, { shape: number[]; dtype: string; values: number[] }>> = JSON.parse(
  fs.readFileSync(path.join(fixtures, 'expected.json'), 'utf8'),
);

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'open-checkpoint-'));
afterAll(() => fs.rmSync(scratch, { recursive: true }));

let copies = 0;
function copyOf(fixture: string): string {
  const directory = path.join(scratch, String(copies++));
  fs.cpSync(path.join(fixtures, fixture), directory, { recursive: true });
  return directory;
}

function readAll(weight: Weight): Float32Array {
  const into = new Float32Array(weight.shape.reduce((size, dim) => size * dim, 1));
  weight.read(into);
  return into;
}

describe('every layout, read back as Python wrote it', () => {
  test.each(Object.keys(expected))('%s', (fixture) => {
    const { config, weights, close } = openCheckpoint(path.join(fixtures, fixture));
    expect(config).toEqual({ model_type: 'bart', d_model: 4, vocab_size: 6 });
    expect([...weights.keys()].sort()).toEqual(Object.keys(expected[fixture]!).sort());
    for (const [name, { shape, dtype, values }] of Object.entries(expected[fixture]!)) {
      const weight = weights.get(name)!;
      expect({ name, shape: weight.shape, dtype: weight.dtype }).toEqual({ name, shape, dtype });
      expect(readAll(weight), name).toEqual(Float32Array.from(values));
    }
    close();
  });

  test('into shared memory', () => {
    const { weights, close } = openCheckpoint(path.join(fixtures, 'torch'));
    const shared = new SharedArrayBuffer(8 + 6 * 4 * 4);
    weights.get('shared.weight')!.read(new Float32Array(shared, 8, 24));
    expect(Array.from(new Float32Array(shared, 8))).toEqual(expected.torch!['shared.weight']!.values);
    close();
  });
});

test('the generation config and the names of other files are there', () => {
  const { generationConfig, files, close } = openCheckpoint(path.join(fixtures, 'safetensors'));
  expect(generationConfig).toEqual({ num_beams: 4, max_length: 20 });
  expect(files).toEqual(['merges.txt', 'vocab.json']);
  close();
  expect(openCheckpoint(path.join(fixtures, 'torch'))).not.toHaveProperty('generationConfig');
});

test('safetensors are preferred to a pickle', () => {
  const directory = copyOf('float32');
  fs.copyFileSync(path.join(fixtures, 'hostile/eval.bin'), path.join(directory, 'pytorch_model.bin'));
  const { weights, files, close } = openCheckpoint(directory);
  expect([...weights.keys()]).toContain('b.weight');
  expect(files).toEqual(['pytorch_model.bin']);
  close();
});

test('a buffer of another size and a closed checkpoint are refused', () => {
  const { weights, close } = openCheckpoint(path.join(fixtures, 'float32'));
  const weight = weights.get('b.weight')!;
  expect(() => weight.read(new Float32Array(5))).toThrow(
    'checkpoint: the weight b.weight has 6 elements ([2, 3]), the buffer takes 5. Give a buffer of its size.',
  );
  close();
  close();
  expect(() => readAll(weight)).toThrow(/model.safetensors was closed/);
});

describe('directories that are no checkpoint', () => {
  function broken(fixture: string, change: (directory: string) => void): () => void {
    const directory = copyOf(fixture);
    change(directory);
    return () => void openCheckpoint(directory);
  }
  const write = (name: string, content: string | Uint8Array) => (directory: string) =>
    fs.writeFileSync(path.join(directory, name), content);
  const remove = (name: string) => (directory: string) => fs.rmSync(path.join(directory, name));
  const index = 'model.safetensors.index.json';
  const changeIndex = (change: (map: Record<string, unknown>) => void) => (directory: string) => {
    const content = JSON.parse(fs.readFileSync(path.join(directory, index), 'utf8'));
    change(content.weight_map);
    write(index, JSON.stringify(content))(directory);
  };

  const addTo = (weight: string, shard: unknown) => changeIndex((map) => Object.assign(map, { [weight]: shard }));
  const first = 'model-00001-of-00002.safetensors';
  const second = 'model-00002-of-00002.safetensors';

  test.each<[string, () => void, RegExp]>([
    [
      'no directory',
      () => void openCheckpoint('/no/such'),
      /directory \/no\/such cannot be read: it does not exist\. C/,
    ],
    [
      'a file',
      () => void openCheckpoint(import.meta.filename),
      /cannot be read: a part of the path is not a directory/,
    ],
    ['no config', broken('torch', remove('config.json')), /has no config\.json\. Give a directory/],
    ['an empty config', broken('torch', write('config.json', '')), /config\.json is empty\. /],
    ['a config cut off', broken('torch', write('config.json', '{"a": ')), /config\.json cannot be read as JSON: /],
    [
      'a list as config',
      broken('torch', write('config.json', '[]')),
      /config\.json holds a list where a JSON object is due/,
    ],
    ['null as config', broken('torch', write('config.json', 'null')), /config\.json holds null where/],
    [
      'config in Latin-1',
      broken('torch', write('config.json', Buffer.from('{"é":0}', 'latin1'))),
      /config\.json .* not UTF-8/,
    ],
    [
      'a broken generation config',
      broken('torch', write('generation_config.json', '{')),
      /generation_config\.json cannot be/,
    ],
    [
      'no weights',
      broken('torch', remove('pytorch_model.bin')),
      /has no weights: none of model\.safetensors, .* its 1 files/,
    ],
    [
      'a Git LFS pointer',
      broken('torch', write('model.safetensors', 'version https://git-lfs.github.com/')),
      /git lfs pull/,
    ],
    [
      'empty weights',
      broken('torch', write('pytorch_model.bin', '')),
      /model\.bin is not a file that torch\.save wrote/,
    ],
    [
      'text as weights',
      broken('torch', write('pytorch_model.bin', '<!DOCTYPE html>')),
      /not a file that torch\.save wrote/,
    ],
    ['an index without map', broken('safetensors-sharded', write(index, '{}')), /index\.json has no weight_map/],
    [
      'a missing shard',
      broken('safetensors-sharded', remove(second)),
      /names 2 files, 1 of them missing: model-00002-of-00002\./,
    ],
    [
      'a weight nowhere',
      broken('safetensors-sharded', addTo('ghost', first)),
      /promises ghost in model-00001-of-00002\.saf/,
    ],
    [
      'a weight elsewhere',
      broken('safetensors-sharded', addTo('half', second)),
      /promises half in model-00002-of-00002\.saf/,
    ],
    [
      'a shard outside',
      broken('safetensors-sharded', addTo('ghost', '../x.safetensors')),
      /ghost into "\.\.\/x\.safetensors"/,
    ],
    ['a number as shard', broken('safetensors-sharded', addTo('ghost', 7)), /puts ghost into 7/],
  ])('%s', (_, open, message) => {
    expect(open).toThrow(Seq2SeqError);
    expect(open).toThrow(message);
  });

  test('a weight in two shards', () => {
    const directory = copyOf('safetensors-sharded');
    fs.copyFileSync(path.join(directory, first), path.join(directory, 'third.safetensors'));
    addTo('half', 'third.safetensors')(directory);
    expect(() => openCheckpoint(directory)).toThrow(
      /third\.safetensors and an earlier file both hold \w+\. Download them again/,
    );
  });
});

describe('pickles that want to run code', () => {
  test.each([
    ['system-protocol-2.bin', 'posix.system'],
    ['system-protocol-3.bin', 'posix.system'],
    ['system-protocol-4.bin', 'posix.system'],
    ['system-protocol-5.bin', 'posix.system'],
    ['legacy.bin', 'posix.system'],
    ['eval.bin', '__builtin__.eval'],
    ['named-only.bin', 'subprocess.Popen'],
  ])('%s', (name, global) => {
    const place = path.join(fixtures, 'hostile', name);
    expect(() => openWeights(place)).toThrow(
      `checkpoint: ${place} wants to run code: its pickle names ${global}, which plain weights do not need; nothing of it was ` +
        'run. Where you trust it, convert it to safetensors in Python; otherwise take another file.',
    );
  });
});

describe('damage', () => {
  // More of them look harder: FUZZ_RUNS=3000 npx vitest run src/checkpoints
  const runs = Number(process.env.FUZZ_RUNS ?? 30);
  const files = fs
    .readdirSync(fixtures, { recursive: true, encoding: 'utf8' })
    .filter((name) => /(\.safetensors|\.bin|\.index\.json)$/.test(name) && !name.startsWith('hostile'))
    .map((name) => ({ name, fixture: path.dirname(name), bytes: fs.readFileSync(path.join(fixtures, name)) }));

  /** Opens and reads what can be read in reasonable memory; true when all went well, false when it was refused properly. */
  function survives(directory: string): boolean {
    try {
      const { weights, close } = openCheckpoint(directory);
      try {
        for (const weight of weights.values()) if (weight.shape.reduce((a, b) => a * b, 1) < 1e5) readAll(weight);
      } finally {
        close();
      }
      return true;
    } catch (error) {
      if (error instanceof Seq2SeqError) return false;
      throw error;
    }
  }

  test.each(files)('$name cut off anywhere is refused', ({ name, fixture, bytes }) => {
    const place = path.join(copyOf(fixture), path.basename(name));
    const cut = fc.integer({ min: 0, max: bytes.length - 1 });
    fc.assert(
      fc.property(cut, (length) => {
        fs.writeFileSync(place, bytes.subarray(0, length));
        return !survives(path.dirname(place));
      }),
      { numRuns: runs, seed: 1 },
    );
  });

  test.each(files)('$name with wrong bytes is refused or read, but never crashes', ({ name, fixture, bytes }) => {
    const place = path.join(copyOf(fixture), path.basename(name));
    const change = fc.tuple(fc.integer({ min: 0, max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
        const damaged = Buffer.from(bytes);
        for (const [at, value] of changes) damaged[at] = value;
        fs.writeFileSync(place, damaged);
        survives(path.dirname(place));
      }),
      { numRuns: 2 * runs, seed: 2 },
    );
  });
});
