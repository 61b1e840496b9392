import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { saveCheckpoint } from '../checkpoints/index.js';
import { checkpointsOf, RunDirectory, resumePoint } from './run-directory.js';
import { initialState, OPTIMIZER_FILE, STATE_FILE, stateToJson, type TrainerState } from './trainer-state.js';

let outputDir: string;
beforeEach(() => {
  outputDir = mkdtempSync(path.join(tmpdir(), 'run-'));
});
afterEach(() => rmSync(outputDir, { recursive: true }));

const stateAt = (global_step: number, runId = 'a', more: Partial<TrainerState> = {}): TrainerState => ({
  ...initialState({ runId, seed: 7, threads: 2, totalSteps: 100, identity: { data: {}, options: {} } }),
  global_step,
  ...more,
});

async function saveAt(run: RunDirectory, step: number, { runId = 'a', limit = 0, optimizer = true } = {}) {
  const files = new Map([[STATE_FILE, stateToJson(stateAt(step, runId))]]);
  if (optimizer) files.set(OPTIMIZER_FILE, 'state');
  return run.checkpoint(`checkpoint-${step}`, (directory) => saveCheckpoint(directory, { files }), limit);
}

describe('the output directory of a run', () => {
  it('is refused to a second run, and free again after the first', async () => {
    const run = await RunDirectory.open(outputDir);
    await expect(RunDirectory.open(outputDir)).rejects.toThrow(`is being trained into by process ${process.pid}`);
    run.close();
    (await RunDirectory.open(outputDir)).close();
    expect(readdirSync(outputDir)).toEqual([]);
  });

  it('is refused while another process is alive, here or elsewhere, and taken over from a dead one', async () => {
    const lock = path.join(outputDir, 'training.lock');
    writeFileSync(lock, JSON.stringify({ pid: process.ppid, host: hostname() }));
    await expect(RunDirectory.open(outputDir)).rejects.toThrow(`process ${process.ppid}.`);
    writeFileSync(lock, JSON.stringify({ pid: 1, host: 'elsewhere' }));
    await expect(RunDirectory.open(outputDir)).rejects.toThrow('process 1 on elsewhere');
    writeFileSync(lock, JSON.stringify({ pid: 2 ** 22 + 1, host: hostname() }));
    (await RunDirectory.open(outputDir)).close();
    writeFileSync(lock, '{"pid": 1');
    (await RunDirectory.open(outputDir)).close();
  });

  it('keeps as many checkpoints of the run as asked, the last ones, and those of other runs', async () => {
    const run = await RunDirectory.open(outputDir);
    await saveAt(run, 500, { runId: 'earlier' });
    for (const step of [2, 4, 10]) await saveAt(run, step, { limit: 2 });
    run.close();
    expect(readdirSync(outputDir).sort()).toEqual(['checkpoint-10', 'checkpoint-4', 'checkpoint-500']);
    expect(checkpointsOf(outputDir, 'a').map(({ state }) => state.global_step)).toEqual([4, 10]);
  });

  it('keeps the earlier checkpoint of a name when a new one cannot be saved', async () => {
    const run = await RunDirectory.open(outputDir);
    const place = await saveAt(run, 2);
    const broken = run.checkpoint('checkpoint-2', () => Promise.reject(new Error('disk full')), 0);
    await expect(broken).rejects.toThrow('disk full');
    run.close();
    expect(readdirSync(outputDir)).toEqual(['checkpoint-2']);
    expect(readdirSync(place).sort()).toEqual([OPTIMIZER_FILE, STATE_FILE].sort());
  });

  it('sweeps up what a killed process left', async () => {
    mkdirSync(path.join(outputDir, `checkpoint-2.tmp-s2s-${2 ** 22 + 1}-0123abcd`));
    (await RunDirectory.open(outputDir)).close();
    expect(readdirSync(outputDir)).toEqual([]);
  });
});

describe('where a run is resumed', () => {
  it('is nowhere without a run, and at the beginning of one without checkpoints', async () => {
    expect(resumePoint(outputDir, true)).toBeUndefined();
    const run = await RunDirectory.open(outputDir);
    await run.note(stateAt(0));
    run.close();
    expect(resumePoint(outputDir, true)).toEqual({ state: stateAt(0), directory: undefined });
  });

  it('is the last checkpoint of the latest run, not one of a run before it', async () => {
    const run = await RunDirectory.open(outputDir);
    await saveAt(run, 500, { runId: 'earlier' });
    await run.note(stateAt(0));
    await saveAt(run, 20);
    await saveAt(run, 100);
    await saveAt(run, 110, { optimizer: false });
    run.close();
    expect(resumePoint(outputDir, true)?.directory).toBe(path.join(outputDir, 'checkpoint-100'));
    expect(resumePoint(outputDir, path.join(outputDir, 'checkpoint-20'))?.state.global_step).toBe(20);
  });

  it('is not a directory without a state, or without the optimizer', async () => {
    const run = await RunDirectory.open(outputDir);
    const place = await saveAt(run, 3, { optimizer: false });
    run.close();
    expect(() => resumePoint(outputDir, path.join(outputDir, 'nowhere'))).toThrow('has no trainer_state.json');
    expect(() => resumePoint(outputDir, place)).toThrow('has no optimizer.safetensors');
    writeFileSync(path.join(place, STATE_FILE), readFileSync(path.join(place, STATE_FILE), 'utf8').slice(0, 40));
    expect(() => resumePoint(outputDir, place)).toThrow('cannot be read');
    writeFileSync(path.join(place, STATE_FILE), '{"format": 1, "run_id": "a"}');
    expect(() => resumePoint(outputDir, place)).toThrow('it lacks global_step');
    expect(existsSync(place)).toBe(true);
  });
});
