import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fixture, loadBart, temporaryFolder } from '../support.js';
import { program } from './program.js';

const folder = temporaryFolder();
const bart = ['--encoder-decoder-type', 'bart', '--encoder-decoder-name', fixture('base')];
const train = ['train', ...bart, '--train-data', fixture('base', 'train.tsv'), '--silent'];
const weightsOf = (directory: string) => readFileSync(join(directory, 'model.safetensors'));

/** Loads a directory and lets it answer, which reads every file in it. */
async function expectWhole(directory: string): Promise<void> {
  const model = await loadBart(directory);
  expect(await model.predict(['snow'])).toHaveLength(1);
  model.dispose();
}

async function killAfter(child: ChildProcess, milliseconds: number): Promise<void> {
  await delay(milliseconds);
  child.kill('SIGKILL');
  const [, signal] = await once(child, 'exit');
  expect(signal).toBe('SIGKILL');
}

describe('kill -9', () => {
  it('while checkpoints are saved leaves every one of them whole', async () => {
    const checkpointsIn = (outputDir: string) =>
      existsSync(outputDir) ? readdirSync(outputDir).filter((name) => /^checkpoint-\d+$/.test(name)) : [];
    let left = 0;
    for (let round = 0; round < 6 || left === 0; round++) {
      const outputDir = join(folder, `killed-${round}`);
      const options = ['--num-train-epochs', '100000', '--save-steps', '1', '--no-save-model-every-epoch'];
      const child = spawn(process.execPath, [program, ...train, ...options, '--output-dir', outputDir], {
        stdio: 'ignore',
      });
      while (checkpointsIn(outputDir).length < 2) await delay(5);
      await killAfter(child, 7 * round);
      for (const name of checkpointsIn(outputDir)) await expectWhole(join(outputDir, name));
      left += readdirSync(outputDir).filter((name) => name.includes('.tmp-')).length;
    }
    // At least one round met a save under way: its name aside is all that is left of it.
    expect(left).toBeGreaterThan(0);
  });

  it('while a saved model is replaced leaves the earlier or the later one', async () => {
    const other = join(folder, 'other');
    const model = await loadBart(fixture('base'), { args: { learningRate: 0.01, manualSeed: 1 } });
    await model.trainModel(fixture('base', 'train.tsv'), { outputDir: other, args: { saveModelEveryEpoch: false } });
    const place = join(folder, 'replaced');
    await model.saveModel(place);
    model.dispose();

    const library = pathToFileURL(join(program, '../../index.js')).href;
    const script = `
      import { Seq2SeqModel } from ${JSON.stringify(library)};
      const load = (encoderDecoderName) => Seq2SeqModel.load({ encoderDecoderType: 'bart', encoderDecoderName });
      const models = [await load(${JSON.stringify(fixture('base'))}), await load(${JSON.stringify(other)})];
      console.log('ready');
      for (let i = 0; ; i++) await models[i % 2].saveModel(${JSON.stringify(place)});`;
    const base = join(folder, 'base-as-saved');
    const untouched = await loadBart(fixture('base'));
    await untouched.saveModel(base);
    untouched.dispose();
    const whole = [weightsOf(base), weightsOf(other)];
    for (let round = 0; round < 8; round++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      await once(child.stdout!, 'data');
      await killAfter(child, 3 + 5 * round);
      const weights = weightsOf(place);
      expect(whole.some((known) => known.equals(weights))).toBe(true);
      await expectWhole(place);
    }
    // The next save clears away what the killed ones left.
    const last = await loadBart(base);
    await last.saveModel(place);
    last.dispose();
    expect(readdirSync(place).filter((name) => name.includes('.tmp-'))).toEqual([]);
  });
});

describe('a disk that takes no more', () => {
  /** Runs under a limit on the size of files, which fails a write in the middle as a full disk does. */
  const limited = (kilobytes: number, args: readonly string[]) =>
    spawnSync('bash', ['-c', 'ulimit -f "$0" && exec "$@"', String(kilobytes), process.execPath, program, ...args], {
      cwd: folder,
      encoding: 'utf8',
    });

  it.skipIf(process.platform === 'win32')('ends training with the reason, and no half model', () => {
    const { status, stdout, stderr } = limited(40, [...train, '--output-dir', 'limited']);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(
      /^checkpoint: \S*checkpoint-1-epoch-1 cannot be written: the file would be larger than allowed\. \d+ bytes are needed, \d+ are free there\. Make room or give access there, or choose another place\.\n$/,
    );
    expect(readdirSync(join(folder, 'limited')).sort()).toEqual(['trainer_state.json', 'training_log.jsonl']);
  });

  it.skipIf(process.platform === 'win32')('leaves the earlier model in place', async () => {
    const place = join(folder, 'earlier');
    const first = spawnSync(process.execPath, [
      program,
      ...train,
      '--output-dir',
      place,
      '--no-save-model-every-epoch',
    ]);
    expect(first.status).toBe(0);
    const before = weightsOf(place);
    const again = [...train, '--output-dir', place, '--overwrite-output-dir', '--no-save-model-every-epoch'];
    const { status, stderr } = limited(40, [...again, '--learning-rate', '0.01']);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^checkpoint: \S*model\.safetensors cannot be written: the file would be larger than allowed\./,
    );
    expect(weightsOf(place).equals(before)).toBe(true);
    expect(readdirSync(place).filter((name) => name.includes('.tmp-'))).toEqual([]);
    await expectWhole(place);
  });

  it('is told of before training when there can be no output directory', () => {
    mkdirSync(join(folder, 'd'));
    writeFileSync(join(folder, 'd', 'file'), '');
    const { status, stdout, stderr } = limited(1000, [...train, '--output-dir', 'd/file/out']);
    expect({ status, stdout, stderr }).toEqual({
      status: 1,
      stdout: '',
      stderr:
        'outputDir: d/file/out cannot be written to: a part of the path is not a directory. Name another directory.\n',
    });
  });
});
