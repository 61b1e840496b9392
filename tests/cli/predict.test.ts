import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { fixture, linesOf, temporaryFolder } from '../support.js';
import { program, runIn } from './program.js';

const folder = temporaryFolder();
const model = ['--encoder-decoder-type', 'bart', '--encoder-decoder-name', fixture('base')];
const lines = Array.from({ length: 3000 }, (_, i) => `${linesOf('base')[i % 8]} ${i % 7}`);
writeFileSync(join(folder, 'input.txt'), lines.map((line) => `${line}\n`).join(''));

function predictArgs(output: string, ...flags: string[]): string[] {
  return ['predict', ...model, '--input', 'input.txt', '--output', output, '--max-length', '12', ...flags];
}

function start(output: string, ...flags: string[]): ChildProcess {
  return spawn(process.execPath, [program, ...predictArgs(output, ...flags)], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

const partials = (output: string) => readdirSync(folder).filter((name) => name.startsWith(`${output}.`));

/** Waits until a run has written some of its answers. */
async function untilWriting(output: string, child: ChildProcess, beyond = 0): Promise<void> {
  while (child.exitCode === null) {
    const [partial] = partials(output);
    if (partial && statSync(join(folder, partial)).size > beyond) return;
    await delay(5);
  }
}

describe.each([
  ['greedy, as text', []],
  ['sampled, several, as JSON', ['--json', '--do-sample', '--manual-seed', '3', '--num-return-sequences', '2']],
  ['several, as text', ['--num-beams', '2', '--num-return-sequences', '2']],
])('3,000 lines, %s', (name, flags) => {
  const output = `${name.replaceAll(/\W/g, '-')}.txt`;

  it('killed and stopped, and each time gone on with, come out as in one piece', async () => {
    const whole = runIn(folder, predictArgs(`whole-${output}`, ...flags));
    expect(whole).toMatchObject({ status: 0, stdout: '' });
    const expected = readFileSync(join(folder, `whole-${output}`), 'utf8');

    const killed = start(output, ...flags);
    await untilWriting(output, killed);
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    expect(partials(output)).toHaveLength(1);
    const size = statSync(join(folder, partials(output)[0]!)).size;
    expect(size).toBeGreaterThan(0);
    expect(size).toBeLessThan(expected.length);
    // Half an answer at its end, as a kill in the middle of a write leaves it.
    writeFileSync(join(folder, partials(output)[0]!), 'half an ans', { flag: 'a' });

    const refused = runIn(folder, predictArgs(output, ...flags));
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/has the answers of a run that was stopped\. Go on behind them with --resume/);

    const stopped = start(output, ...flags, '--resume');
    let said = '';
    stopped.stderr!.on('data', (text) => {
      said += text;
    });
    await untilWriting(output, stopped, size + 20);
    stopped.kill('SIGINT');
    const [code] = (await once(stopped, 'close')) as [number];
    expect(code).toBe(130);
    expect(said).toMatch(/^predict: the answers so far are in .*partial\. Go on with --resume\.$/m);

    expect(runIn(folder, predictArgs(output, ...flags, '--resume'))).toMatchObject({ status: 0 });
    expect(readFileSync(join(folder, output), 'utf8')).toBe(expected);
    expect(partials(output)).toEqual([]);

    expect(runIn(folder, predictArgs(output, ...flags, '--resume'))).toMatchObject({ status: 0 });
    expect(readFileSync(join(folder, output), 'utf8')).toBe(expected);
  });
});

describe('--resume', () => {
  it('refuses an input that has fewer lines than there are answers, and leaves these alone', () => {
    const output = 'shorter.txt';
    writeFileSync(join(folder, `${output}.999999999.partial`), 'a\n'.repeat(7000));
    const { status, stderr } = runIn(folder, predictArgs(output, '--resume', '--silent'));
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^predict: the output has answers to 7000 lines, but the input only 3000\. Is it the same input\?$/m,
    );
    expect(readFileSync(join(folder, partials(output)[0]!), 'utf8')).toBe('a\n'.repeat(7000));
    expect(existsSync(join(folder, output))).toBe(false);
  });

  it('needs a file to go on with', () => {
    const { status, stderr } = runIn(folder, ['predict', ...model, '--input', 'input.txt', '--resume']);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: '--resume: needs a file that it can go on with. Name it with --output.\n',
    });
  });
});

describe('--scores', () => {
  it('writes those of answers and of their tokens beside them', () => {
    const { stdout } = runIn(folder, ['predict', ...model, '--json', '--scores', '--silent'], { input: 'a\nb b\n' });
    for (const line of stdout.trimEnd().split('\n')) {
      const { outputs, scores, tokenScores } = JSON.parse(line) as Record<string, unknown[]>;
      expect([outputs!.length, scores!.length, tokenScores!.length]).toEqual([1, 1, 1]);
      expect(scores![0]).toBeLessThan(0);
      expect((tokenScores![0] as number[]).length).toBeGreaterThan(0);
    }
  });

  it('needs --json', () => {
    expect(runIn(folder, ['predict', ...model, '--scores'])).toMatchObject({
      status: 2,
      stderr: '--scores: needs --json, for lines of text have no place for them. Add it.\n',
    });
  });
});
