import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/data/index.js';
import { changeJson, copyOf, fixture, readJson, temporaryFolder } from '../support.js';
import { program, runIn } from './program.js';

const folder = temporaryFolder();
const model = copyOf('base', join(folder, 'model'));
changeJson(join(model, 'config.json'), { dropout: 0.2, attention_dropout: 0.1, activation_dropout: 0.1 });
const run = [
  ...['train', '--encoder-decoder-type', 'bart', '--encoder-decoder-name', model, '--threads', '2'],
  ...['--train-data', fixture('base', 'train.tsv'), '--eval-data', fixture('base', 'eval.tsv'), '--silent'],
  ...['--max-steps', '40', '--num-train-epochs', '40', '--train-batch-size', '3', '--learning-rate', '0.003'],
  ...['--evaluate-during-training', '--evaluate-during-training-steps', '9', '--no-save-eval-checkpoints'],
  ...[
    '--manual-seed',
    '5',
    '--save-steps',
    '3',
    '--save-total-limit',
    '2',
    '--no-save-model-every-epoch',
    '--no-cache',
  ],
];
const start = (outputDir: string, ...flags: string[]) =>
  spawn(process.execPath, [program, ...run, '--output-dir', outputDir, ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
const weightsOf = (outputDir: string) => readFileSync(join(outputDir, 'model.safetensors'));
const checkpointsIn = (outputDir: string) => readdirSync(outputDir).filter((name) => /^checkpoint-\d+$/.test(name));

async function end(child: ChildProcess): Promise<number | NodeJS.Signals> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return signal ?? code!;
}

describe('a run of 40 steps', () => {
  const whole = join(folder, 'whole');

  it('ends with the same weights when it is killed at random moments and resumed, again and again', async () => {
    expect(await end(start(whole))).toBe(0);
    const outputDir = join(folder, 'killed');
    const random = new Random(9);
    let kills = 0;
    for (let isDone = false; !isDone; ) {
      const child = start(outputDir, ...(existsSync(outputDir) ? ['--resume-from-checkpoint'] : []));
      const before = existsSync(outputDir) ? checkpointsIn(outputDir).join() : '';
      const ended = end(child);
      // From the first sign of work on, so that each kill meets training or saving.
      while (child.exitCode === null && !(existsSync(outputDir) && checkpointsIn(outputDir).join() !== before))
        await delay(3);
      await delay(60 * random.next());
      child.kill('SIGKILL');
      isDone = (await ended) === 0;
      if (!isDone) kills++;
      expect(checkpointsIn(outputDir).length).toBeLessThanOrEqual(3);
    }
    expect(kills).toBeGreaterThan(2);
    expect(weightsOf(outputDir).equals(weightsOf(whole))).toBe(true);
    expect(weightsOf(join(outputDir, 'best_model')).equals(weightsOf(join(whole, 'best_model')))).toBe(true);
    expect(readdirSync(outputDir).filter((name) => name.includes('.tmp-') || name.endsWith('.lock'))).toEqual([]);
  });

  it('is saved at the first Ctrl-C, and goes on from there', async () => {
    const outputDir = join(folder, 'interrupted');
    const child = start(outputDir);
    let said = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    while (!existsSync(join(outputDir, 'checkpoint-3'))) await delay(5);
    child.kill('SIGINT');
    expect(await end(child)).toBe(130);
    const state = readJson(join(outputDir, 'trainer_state.json'));
    expect(state.global_step).toBe(0);
    const last = Math.max(...checkpointsIn(outputDir).map((name) => Number(name.slice('checkpoint-'.length))));
    expect(said).toBe('seq2seq: stopped by SIGINT.\n');
    const resumed = runIn(folder, [
      ...run,
      '--output-dir',
      outputDir,
      '--resume-from-checkpoint',
      join(outputDir, `checkpoint-${last}`),
    ]);
    expect(resumed.status).toBe(0);
    expect(weightsOf(outputDir).equals(weightsOf(whole))).toBe(true);
  });

  it('is refused a directory that another one trains into', async () => {
    const outputDir = join(folder, 'shared');
    const child = start(outputDir);
    while (!existsSync(join(outputDir, 'training.lock'))) await delay(3);
    const { status, stderr } = runIn(folder, [...run, '--output-dir', outputDir, '--overwrite-output-dir']);
    expect([status, stderr]).toEqual([
      1,
      `outputDir: ${outputDir} is being trained into by process ${child.pid}. Wait for it, or name another directory.\n`,
    ]);
    expect(await end(child)).toBe(0);
    expect(weightsOf(outputDir).equals(weightsOf(whole))).toBe(true);
  });

  it('is refused a resume without its options, in words', () => {
    const { status, stderr } = runIn(folder, [
      ...run,
      '--output-dir',
      whole,
      '--learning-rate',
      '1',
      '--resume-from-checkpoint',
    ]);
    expect(status).toBe(1);
    expect(stderr).toContain('resume: options differ');
    expect(stderr).toContain('learningRate was 0.003 and is 1.');
  });
});
