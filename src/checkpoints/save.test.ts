import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { Seq2SeqError } from '../errors.js';
import { openCheckpoint } from './open.js';
import { type CheckpointContent, saveCheckpoint } from './save.js';
import { writeFileWhole } from './write-whole.js';

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'save-checkpoint-'));
afterAll(() => fs.rmSync(scratch, { recursive: true }));
let used = 0;
const freshPlace = () => path.join(scratch, String(used++));

function content(version: number): CheckpointContent {
  const data = new Float32Array(new SharedArrayBuffer(24)).fill(version);
  return {
    files: new Map<string, string | Uint8Array>([
      ['config.json', JSON.stringify({ version })],
      ['vocab.json', Buffer.from(`{"v": ${version}}`)],
    ]),
    weights: [{ name: 'w', shape: [2, 3], data }],
  };
}

/** The version of each part of what is saved; a checkpoint is consistent when all agree. */
function versions(directory: string) {
  const { config, weights, close } = openCheckpoint(directory);
  const into = new Float32Array(6);
  weights.get('w')!.read(into);
  close();
  const vocabulary = JSON.parse(fs.readFileSync(path.join(directory, 'vocab.json'), 'utf8')).v;
  return { config: config.version, weights: into[0], vocabulary };
}
const all = (version: number) => ({ config: version, weights: version, vocabulary: version });

const saved = ['config.json', 'model.safetensors', 'vocab.json'];

test('a new directory, its parents too, then again over it', async () => {
  const directory = path.join(freshPlace(), 'a', 'b');
  await saveCheckpoint(directory, content(1));
  expect(versions(directory)).toEqual(all(1));
  fs.writeFileSync(path.join(directory, 'notes.txt'), 'mine');
  await saveCheckpoint(`${directory}/`, content(2));
  expect(versions(directory)).toEqual(all(2));
  expect(fs.readdirSync(directory).sort()).toEqual([...saved, 'notes.txt'].sort());
  expect(fs.readdirSync(path.dirname(directory))).toEqual(['b']);
});

test('a link into a cache is replaced, what it points to is not', async () => {
  const [directory, blob] = [freshPlace(), freshPlace()];
  await saveCheckpoint(directory, content(1));
  fs.renameSync(path.join(directory, 'config.json'), blob);
  fs.symlinkSync(blob, path.join(directory, 'config.json'));
  await saveCheckpoint(directory, content(2));
  expect(versions(directory)).toEqual(all(2));
  expect(fs.readFileSync(blob, 'utf8')).toBe('{"version":1}');
});

test('left-overs of ended processes go, those of running ones and other names stay', async () => {
  const directory = freshPlace();
  await saveCheckpoint(directory, content(1));
  const ended = spawn(process.execPath, ['-e', '']);
  await once(ended, 'exit');
  const gone = [`model.safetensors.tmp-s2s-${ended.pid}-0123abcd`, `vocab.json.tmp-s2s-${process.pid}-0123abcd`];
  const kept = [`vocab.json.tmp-s2s-${process.ppid}-0123abcd`, 'vocab.json.tmp-1', 'x.tmp'];
  for (const name of [...gone, ...kept]) fs.writeFileSync(path.join(directory, name), '');
  fs.mkdirSync(path.join(directory, `checkpoint-8.tmp-s2s-${ended.pid}-0123abcd`, 'x'), { recursive: true });
  await saveCheckpoint(directory, content(2));
  expect(fs.readdirSync(directory).sort()).toEqual([...saved, ...kept].sort());
});

test('writeFileWhole replaces a file, and its own left-overs only', async () => {
  const directory = freshPlace();
  fs.mkdirSync(directory);
  const names = ['log', 'other'].map((name) => `${name}.tmp-s2s-${process.pid}-0123abcd`);
  for (const name of names) fs.writeFileSync(path.join(directory, name), '');
  await writeFileWhole(path.join(directory, 'log'), 'one');
  await writeFileWhole(path.join(directory, 'log'), Buffer.from('two'));
  expect(fs.readFileSync(path.join(directory, 'log'), 'utf8')).toBe('two');
  expect(fs.readdirSync(directory)).toEqual(['log', names[1]]);
  await expect(writeFileWhole(path.join(directory, 'no', 'log'), '')).rejects.toThrow(
    /^output: .*log cannot be written: it does/,
  );
});

describe('what cannot be saved leaves nothing', () => {
  const w = { name: 'w', shape: [2], data: new Float32Array(2) };
  test.each<[string, CheckpointContent, RegExp]>([
    ['a path as name', { files: new Map([['../x', '']]) }, /"\.\.\/x" is not a file name/],
    ['an empty name', { files: new Map([['', '']]) }, /"" is not a file name/],
    [
      'the weights twice',
      { files: new Map([['model.safetensors', '']]), weights: [] },
      /two contents are given for model/,
    ],
    [
      'a wrong shape',
      { files: new Map(), weights: [{ ...w, shape: [3] }] },
      /w has 2 elements, its shape \[3\] takes 3/,
    ],
    ['one weight twice', { files: new Map(), weights: [w, w] }, /name w occurs twice/],
  ])('%s', async (_, broken, message) => {
    const directory = freshPlace();
    await expect(saveCheckpoint(directory, broken)).rejects.toThrow(message);
    expect(fs.existsSync(directory)).toBe(false);
  });

  test('a file in the place of the directory, a directory in the place of a file', async () => {
    const place = freshPlace();
    fs.writeFileSync(place, 'mine');
    await expect(saveCheckpoint(place, content(1))).rejects.toThrow(/is a file, not a directory\. Choose/);
    await expect(saveCheckpoint(path.join(place, 'x'), content(1))).rejects.toThrow(
      /x cannot be written: something else is there\. /,
    );
    const directory = freshPlace();
    fs.mkdirSync(path.join(directory, 'config.json'), { recursive: true });
    await expect(saveCheckpoint(directory, content(1))).rejects.toThrow(
      /config\.json is a directory, a file is to be written/,
    );
    expect(fs.readdirSync(directory)).toEqual(['config.json']);
  });
});

describe('a disk that fails', () => {
  const open = fs.promises.open;
  afterEach(() => {
    fs.promises.open = open;
    syncBuiltinESMExports();
  });

  /** Lets the n-th write fail as a full disk does. */
  function failAtWrite(n: number, code: string): void {
    let writes = 0;
    fs.promises.open = async (...parameters) => {
      const file = await open(...parameters);
      const write = file.write.bind(file) as (bytes: Uint8Array) => ReturnType<typeof file.write>;
      const failing = (bytes: Uint8Array) => {
        if (++writes === n) throw Object.assign(new Error(code), { code });
        return write(bytes);
      };
      return Object.assign(file, { write: failing });
    };
    syncBuiltinESMExports();
  }

  test.each([1, 2, 3, 4, 5])(
    'full at write %i: path, bytes needed and free, the old checkpoint untouched',
    async (n) => {
      const directory = freshPlace();
      const size = 13 + 8 + 96 + 32;
      await saveCheckpoint(directory, content(1));
      failAtWrite(n, 'ENOSPC');
      const message =
        /^checkpoint: .*(json|safetensors) cannot be written: no space is left on the disk\. (\d+) bytes are needed, \d+ are free there\. Make/;
      await expect(saveCheckpoint(directory, content(2))).rejects.toThrow(Seq2SeqError);
      failAtWrite(n, 'ENOSPC');
      const error: Error = await saveCheckpoint(directory, content(2)).then(
        () => expect.fail(),
        (reason) => reason,
      );
      expect(error.message).toMatch(message);
      expect(Number(message.exec(error.message)![2])).toBeGreaterThan(size - 40);
      expect(versions(directory)).toEqual(all(1));
      expect(fs.readdirSync(directory).sort()).toEqual(saved);
    },
  );

  test('read-only while a new directory is written', async () => {
    const directory = path.join(freshPlace(), 'new');
    failAtWrite(3, 'EROFS');
    await expect(saveCheckpoint(directory, content(1))).rejects.toThrow(
      /new cannot be written: the disk is read-only\. /,
    );
    expect(fs.readdirSync(path.dirname(directory))).toEqual([]);
  });
});

describe('killed at any moment', () => {
  /** The room as JavaScript, for a process of its own. */
  function compileRoom(): string {
    const target = freshPlace();
    const source = path.resolve(import.meta.dirname, '..');
    const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
    const names = fs.readdirSync(import.meta.dirname).filter((name) => !name.endsWith('.test.ts'));
    for (const name of ['errors.ts', ...names.map((name) => path.join('checkpoints', name))]) {
      const { outputText } = ts.transpileModule(fs.readFileSync(path.join(source, name), 'utf8'), {
        compilerOptions: options,
      });
      const place = path.join(target, name.replace(/ts$/, 'js'));
      fs.mkdirSync(path.dirname(place), { recursive: true });
      fs.writeFileSync(place, outputText);
    }
    fs.writeFileSync(path.join(target, 'package.json'), '{"type": "module"}');
    return pathToFileURL(path.join(target, 'checkpoints/index.js')).href;
  }

  /** Saves version 2 in a process that kills itself (SIGKILL) before its n-th call to the file system; true if it got through. */
  async function saveKilledAt(room: string, directory: string, n: number): Promise<boolean> {
    const script = `
      import { default as sync, promises as fs } from 'node:fs';
      import { syncBuiltinESMExports } from 'node:module';
      let calls = 0;
      const dying = (call) => function (...parameters) {
        if (++calls === ${n}) process.kill(process.pid, 'SIGKILL');
        return call.apply(this, parameters);
      };
      const { open } = fs;
      for (const name of ['mkdir', 'rename', 'rm']) fs[name] = dying(fs[name]);
      sync.renameSync = dying(sync.renameSync);
      fs.open = dying(async (...parameters) => {
        const file = await open(...parameters);
        return Object.assign(file, { sync: dying(file.sync) });
      });
      syncBuiltinESMExports();
      const { saveCheckpoint } = await import(${JSON.stringify(room)});
      await saveCheckpoint(${JSON.stringify(directory)}, {
        files: new Map([['config.json', '{"version": 2}'], ['vocab.json', '{"v": 2}']]),
        weights: [{ name: 'w', shape: [2, 3], data: new Float32Array(6).fill(2) }],
      });`;
    const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const [code, signal] = await once(child, 'exit');
    if (code !== 0 && signal !== 'SIGKILL') throw new Error(`the saving process ended with ${code ?? signal}`);
    return code === 0;
  }

  test('a new directory is complete or absent, and the next save cleans up', async () => {
    const room = compileRoom();
    const parent = freshPlace();
    const directory = path.join(parent, 'new');
    let n = 0;
    for (let done = false; !done; ) {
      fs.rmSync(parent, { recursive: true, force: true });
      fs.mkdirSync(parent);
      done = await saveKilledAt(room, directory, ++n);
      if (fs.existsSync(directory)) expect(versions(directory)).toEqual(all(2));
      await saveCheckpoint(directory, content(3));
      expect(versions(directory)).toEqual(all(3));
      expect(fs.readdirSync(parent)).toEqual(['new']);
    }
    expect(n).toBeGreaterThan(10);
  });

  test('an existing one has whole files of one version; only between its renames can they differ, config.json last', async () => {
    const room = compileRoom();
    const directory = freshPlace();
    const seen: ReturnType<typeof versions>[] = [];
    for (let n = 1, done = false; !done; n++) {
      await saveCheckpoint(directory, content(1));
      done = await saveKilledAt(room, directory, n);
      seen.push(versions(directory));
      await saveCheckpoint(directory, content(1));
      expect(fs.readdirSync(directory).sort()).toEqual(saved);
    }
    const states = [...new Set(seen.map((state) => JSON.stringify(state)))].map((state) => JSON.parse(state));
    expect(states).toEqual([
      all(1),
      { config: 1, weights: 1, vocabulary: 2 },
      { config: 1, weights: 2, vocabulary: 2 },
      all(2),
    ]);
  });
});
