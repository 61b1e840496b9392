import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { Seq2SeqError } from '../errors.js';
import { checkpointLayout } from './layout.js';
import { openCheckpoint } from './open.js';
import type { TensorToSave } from './safetensors.js';
import { type CheckpointContent, saveCheckpoint } from './save.js';
import { writeFileWhole } from './write-whole.js';

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'save-checkpoint-'));
afterAll(() => fs.rmSync(scratch, { recursive: true }));
let used = 0;
const freshPlace = () => path.join(scratch, String(used++));

const w = (version: number) => ({
  name: 'w',
  shape: [2, 3],
  data: new Float32Array(new SharedArrayBuffer(24)).fill(version),
});

function content(version: number): CheckpointContent {
  return {
    files: new Map<string, string | Uint8Array>([
      ['config.json', JSON.stringify({ version })],
      ['vocab.json', Buffer.from(`{"v": ${version}}`)],
    ]),
    weights: new Map([['model.safetensors', [w(version)]]]),
  };
}

/** A model in two folders. */
function halvesContent(version: number): CheckpointContent {
  const { files, weights } = content(version);
  const inBoth = <T>(each: ReadonlyMap<string, T>) =>
    new Map(
      ['encoder', 'decoder'].flatMap((half) => [...each].map(([name, value]) => [`${half}/${name}`, value] as const)),
    );
  return { files: new Map([...inBoth(files), ['model_args.json', '{}']]), weights: inBoth(weights!) };
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

/** Those of the model that a reader finds: one in the directory, or those of both halves. */
function loaded(directory: string) {
  const folders = checkpointLayout(directory) === 'single' ? [''] : ['encoder', 'decoder'];
  return folders.map((folder) => versions(path.join(directory, folder)));
}

const saved = ['config.json', 'model.safetensors', 'vocab.json'];
const savedHalves = [
  ...['decoder', 'encoder'].flatMap((half) => saved.map((name) => `${half}/${name}`)),
  'model_args.json',
];

/** Everything below a directory but folders themselves; empty folders end in a slash. */
function filesIn(directory: string): string[] {
  return fs
    .readdirSync(directory, { withFileTypes: true })
    .flatMap((entry) => {
      if (!entry.isDirectory()) return [entry.name];
      const inside = filesIn(path.join(directory, entry.name));
      return inside.length === 0 ? [`${entry.name}/`] : inside.map((name) => `${entry.name}/${name}`);
    })
    .sort();
}

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

test('two folders, in a new directory and over an old one', async () => {
  const directory = path.join(freshPlace(), 'new');
  await saveCheckpoint(directory, halvesContent(1));
  expect(loaded(directory)).toEqual([all(1), all(1)]);
  fs.writeFileSync(path.join(directory, 'encoder/notes.txt'), 'mine');
  await saveCheckpoint(directory, halvesContent(2));
  expect(loaded(directory)).toEqual([all(2), all(2)]);
  expect(filesIn(directory)).toEqual([...savedHalves, 'encoder/notes.txt'].sort());
  expect(fs.readdirSync(path.dirname(directory))).toEqual(['new']);
});

describe('what an earlier model of another layout left goes', () => {
  const shards = [
    'model-00001-of-00002.safetensors',
    'model-00002-of-00002.safetensors',
    'model.safetensors.index.json',
  ];
  const older = [
    'pytorch_model.bin',
    'pytorch_model.bin.index.json',
    'pytorch_model-00001-of-00001.bin',
    'tf_model.h5',
  ];
  const settings = ['generation_config.json', 'tokenizer.json', 'source.spm'];
  const mine = ['notes.txt', 'optimizer.pt', 'model_args.json', 'model-final.safetensors'];
  const write = (directory: string, names: readonly string[]) => {
    fs.mkdirSync(directory, { recursive: true });
    for (const name of names) fs.writeFileSync(path.join(directory, name), 'old');
  };

  test('in the directory', async () => {
    const directory = freshPlace();
    write(directory, [...shards, ...older, ...settings, ...mine]);
    await saveCheckpoint(directory, content(1));
    expect(loaded(directory)).toEqual([all(1)]);
    expect(filesIn(directory)).toEqual([...saved, ...mine].sort());
  });

  test('two folders, by a single model', async () => {
    const directory = freshPlace();
    await saveCheckpoint(directory, halvesContent(1));
    write(path.join(directory, 'encoder'), ['notes.txt', 'vocab.txt']);
    await saveCheckpoint(directory, content(2));
    expect(loaded(directory)).toEqual([all(2)]);
    expect(filesIn(directory)).toEqual([...saved, 'encoder/notes.txt', 'model_args.json'].sort());
  });

  test('a single model, by two folders', async () => {
    const directory = freshPlace();
    await saveCheckpoint(directory, content(1));
    write(directory, [...shards, ...settings, 'notes.txt']);
    write(path.join(directory, 'decoder'), ['pytorch_model.bin']);
    await saveCheckpoint(directory, halvesContent(2));
    expect(loaded(directory)).toEqual([all(2), all(2)]);
    expect(filesIn(directory)).toEqual([...savedHalves, 'notes.txt'].sort());
  });

  test('files of such names where no model was are not touched, nor when no weights are saved', async () => {
    const directory = freshPlace();
    write(directory, ['config.json', 'vocab.json']);
    write(path.join(directory, 'encoder'), ['config.json']);
    await saveCheckpoint(directory, { files: new Map([['config.json', '{}']]) });
    expect(filesIn(directory)).toEqual(['config.json', 'encoder/config.json', 'vocab.json']);
    await saveCheckpoint(directory, halvesContent(1));
    expect(filesIn(directory)).toEqual([...savedHalves, 'config.json', 'vocab.json'].sort());
    expect(loaded(directory)).toEqual([all(1), all(1)]);
  });
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
  fs.mkdirSync(path.join(directory, 'encoder'));
  fs.writeFileSync(path.join(directory, 'encoder', gone[0]!), '');
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
  const pair = { name: 'w', shape: [2], data: new Float32Array(2) };
  const weights = (...tensors: TensorToSave[]) => new Map([['model.safetensors', tensors]]);
  test.each<[string, CheckpointContent, RegExp]>([
    ['a path as name', { files: new Map([['../x', '']]) }, /"\.\.\/x" is not a file name/],
    ['an empty name', { files: new Map([['', '']]) }, /"" is not a file name/],
    [
      'the weights twice',
      { files: new Map([['model.safetensors', '']]), weights: weights() },
      /two contents are given for model/,
    ],
    [
      'a wrong shape',
      { files: new Map(), weights: weights({ ...pair, shape: [3] }) },
      /w has 2 elements, its shape \[3\] takes 3/,
    ],
    ['one weight twice', { files: new Map(), weights: weights(pair, pair) }, /name w occurs twice/],
    ['a path of two folders', { files: new Map([['a/b/x', '']]) }, /"a\/b\/x" is not a file name/],
    ['a folder without a name', { files: new Map([['/x', '']]) }, /"\/x" is not a file name/],
    ['a folder above', { files: new Map([['a/..', '']]) }, /"a\/\.\." is not a file name/],
    [
      'a file and a folder of one name',
      {
        files: new Map([
          ['encoder/x', ''],
          ['encoder', ''],
        ]),
      },
      /encoder is a file and the folder of encoder\/x/,
    ],
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

  test('a file in the place of a folder', async () => {
    const directory = freshPlace();
    fs.mkdirSync(directory);
    fs.writeFileSync(path.join(directory, 'decoder'), 'mine');
    await expect(saveCheckpoint(directory, halvesContent(1))).rejects.toThrow(
      /decoder is a file, a folder is to be written there\. Move/,
    );
    expect(fs.readdirSync(directory)).toEqual(['decoder']);
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

  test('full while two folders are written: the old checkpoint is untouched, new folders go again', async () => {
    // config.json and vocab.json of both sides, model_args.json, and of each weights file length, header and data.
    for (let n = 1; n <= 11; n++) {
      for (const old of [halvesContent(1), content(1)]) {
        const directory = freshPlace();
        await saveCheckpoint(directory, old);
        const before = [filesIn(directory), loaded(directory)];
        failAtWrite(n, 'ENOSPC');
        await expect(saveCheckpoint(directory, halvesContent(2))).rejects.toThrow(
          /cannot be written: no space is left on the disk\. (\d+) bytes are needed/,
        );
        expect([filesIn(directory), loaded(directory)]).toEqual(before);
      }
    }
    const directory = freshPlace();
    failAtWrite(12, 'ENOSPC');
    await saveCheckpoint(directory, halvesContent(1));
  });

  test('a file of an earlier model that cannot be removed: the new one is there', async () => {
    const directory = freshPlace();
    await saveCheckpoint(directory, content(1));
    fs.writeFileSync(path.join(directory, 'tokenizer.json'), 'old');
    const { rm } = fs.promises;
    fs.promises.rm = async () => {
      throw Object.assign(new Error('EPERM'), { code: 'EPERM' });
    };
    await expect(saveCheckpoint(directory, content(2))).rejects.toThrow(
      /^checkpoint: .*tokenizer\.json cannot be removed: the operation is not permitted\. What was to be saved is there; remove/,
    );
    fs.promises.rm = rm;
    expect(versions(directory)).toEqual(all(2));
  });

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
    for (const name of [
      'errors.ts',
      'edit-distance.ts',
      'aside.ts',
      ...names.map((name) => path.join('checkpoints', name)),
    ]) {
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
      const w = { name: 'w', shape: [2, 3], data: new Float32Array(6).fill(2) };
      await saveCheckpoint(${JSON.stringify(directory)}, {
        files: new Map([['config.json', '{"version": 2}'], ['vocab.json', '{"v": 2}']]),
        weights: new Map([['model.safetensors', [w]]]),
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

describe('two folders, stopped at any moment', () => {
  const asyncCalls = ['mkdir', 'rename', 'rm', 'rmdir', 'open'] as const;
  const syncCalls = ['renameSync', 'rmSync'] as const;
  const originals = { ...fs.promises };
  const syncOriginals = { ...fs };

  afterEach(restore);
  function restore(): void {
    for (const name of asyncCalls) Object.assign(fs.promises, { [name]: originals[name] });
    for (const name of syncCalls) Object.assign(fs, { [name]: syncOriginals[name] });
    syncBuiltinESMExports();
  }

  /** Saves, but from its n-th call to the file system on nothing happens any more, as when killed; true if it got through. */
  async function saveStoppedAt(n: number, directory: string, content: CheckpointContent): Promise<boolean> {
    const opened: fs.promises.FileHandle[] = [];
    let calls = 0;
    let stop = () => {};
    const stopped = new Promise<boolean>((resolve) => {
      stop = () => resolve(false);
    });
    type Call = (...parameters: unknown[]) => unknown;
    const stopping = (call: Call, otherwise: () => unknown): Call =>
      function (this: unknown, ...parameters) {
        if (++calls < n) return call.apply(this, parameters);
        stop();
        return otherwise();
      };
    const never = () => new Promise(() => {});
    for (const name of asyncCalls) Object.assign(fs.promises, { [name]: stopping(originals[name] as Call, never) });
    for (const name of syncCalls) {
      const thrown = () => {
        throw new Error('stopped');
      };
      Object.assign(fs, { [name]: stopping(syncOriginals[name] as Call, thrown) });
    }
    const { open } = fs.promises;
    fs.promises.open = async (...parameters) => {
      const file = await open(...parameters);
      opened.push(file);
      return Object.assign(file, { sync: stopping(file.sync as Call, never) });
    };
    syncBuiltinESMExports();
    // Modules of its own, as a process has, which the next save knows nothing of.
    vi.resetModules();
    const room = await import('./save.js');
    const through = await Promise.race([room.saveCheckpoint(directory, content).then(() => true), stopped]);
    restore();
    for (const file of opened) await file.close().catch(() => undefined);
    return through;
  }

  /** What readers find, stopped at each call in turn while `next` is saved over `old`; repetitions left out. */
  async function statesWhileSaving(old: CheckpointContent | undefined, next: CheckpointContent) {
    const states: unknown[] = [];
    for (let n = 1, done = false; !done; n++) {
      const parent = freshPlace();
      const directory = path.join(parent, 'model');
      if (old) await saveCheckpoint(directory, old);
      else fs.mkdirSync(parent);
      done = await saveStoppedAt(n, directory, next);
      let state: unknown;
      try {
        state = fs.existsSync(directory) ? loaded(directory) : 'nothing';
      } catch (error) {
        state = (error as Error).message.replace(directory, 'DIRECTORY');
      }
      if (JSON.stringify(state) !== JSON.stringify(states.at(-1))) states.push(state);
      vi.resetModules();
      const room = await import('./save.js');
      await room.saveCheckpoint(directory, next);
      expect(loaded(directory).every(({ config }) => config === 2)).toBe(true);
      expect(filesIn(parent).filter((name) => name.includes('.tmp-') || name.endsWith('/'))).toEqual([]);
    }
    return states;
  }

  test('a new directory is complete or absent', async () => {
    expect(await statesWhileSaving(undefined, halvesContent(2))).toEqual(['nothing', [all(2), all(2)]]);
  });

  test('over two folders: never halves of both, nothing loads in between', async () => {
    expect(await statesWhileSaving(halvesContent(1), halvesContent(2))).toEqual([
      [all(1), all(1)],
      expect.stringMatching(/^checkpoint: DIRECTORY has no encoder\/config\.json\. A model in the folders/),
      [all(2), all(2)],
    ]);
  });

  test('from one layout to the other at once', async () => {
    expect(await statesWhileSaving(content(1), halvesContent(2))).toEqual([[all(1)], [all(2), all(2)]]);
    expect(await statesWhileSaving(halvesContent(1), content(2))).toEqual([[all(1), all(1)], [all(2)]]);
  });
});
