import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { withLock } from '../../src/hub/lock.js';
import { sha256, tinyRepository } from './server.js';
import { hubForEachTest, ID } from './setup.js';

const WEIGHTS = Buffer.from(tinyRepository().files['model.safetensors']!);
const hasFlock = spawnSync('flock', ['--version']).error === undefined;
const hub = hubForEachTest();
const { fetchModel, repository, fault } = hub;

const running = new Set<ChildProcess>();
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
});

/** Fetches the model in a process of its own, which can write files of so many kilobytes. */
function fetchElsewhere(limit = 'unlimited') {
  const script = fileURLToPath(new URL('fetch.mjs', import.meta.url));
  const options = JSON.stringify({ cacheDir: hub.cacheDir, endpoint: hub.server.url });
  const command = ['-c', 'ulimit -f "$0" && exec "$@"', limit, process.execPath, script, ID, options];
  const child = spawn('bash', command, { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  return { child, done: once(child, 'close').then(([status]) => ({ status: status as number, output })) };
}

const downloads = () => hub.server.asked('GET').filter((each) => each.startsWith('GET cdn'));

describe('two processes', () => {
  it('download each file once between them', async () => {
    fault(/GET cdn/, { slow: 60 });
    const results = await Promise.all([fetchElsewhere().done, fetchElsewhere().done]);
    const place = repository('snapshots', tinyRepository().commit);
    expect(results).toEqual([
      { status: 0, output: `${place}\n` },
      { status: 0, output: `${place}\n` },
    ]);
    expect(downloads()).toHaveLength(1);
    expect(sha256(fs.readFileSync(path.join(place, 'model.safetensors')))).toBe(sha256(WEIGHTS));
    expect(fs.readdirSync(repository()).sort()).toEqual(['.no_exist', 'blobs', 'refs', 'snapshots']);
  });

  it('take over from each other: what a killed one has, the other goes on with', async () => {
    fault(/GET cdn/, { slow: 100 });
    const first = fetchElsewhere();
    await vi.waitFor(
      () => expect(fs.statSync(`${repository('blobs', sha256(WEIGHTS))}.incomplete`).size).toBeGreaterThan(0),
      5000,
    );
    const second = fetchElsewhere();
    first.child.kill('SIGKILL');
    expect((await second.done).status).toBe(0);
    const ranges = hub.server.seen.filter(({ host }) => host === 'cdn').map(({ range }) => range);
    expect(ranges).toEqual([undefined, expect.stringMatching(/^bytes=\d+-$/)]);
  });
});

it('a disk that takes no more: said, and gone on with once there is room', async () => {
  const { status, output } = await fetchElsewhere('100').done;
  expect({ status, output }).toEqual({
    status: 1,
    output:
      `hub: model.safetensors cannot be written in ${repository('blobs')}: the file would be larger than allowed. ` +
      'Make room, or choose another place with cacheDir or HF_HUB_CACHE.\n',
  });
  expect(fs.existsSync(repository('snapshots', tinyRepository().commit, 'model.safetensors'))).toBe(false);
  await fetchModel();
  const ranges = hub.server.seen.filter(({ host }) => host === 'cdn').map(({ range }) => range);
  expect(ranges).toEqual([undefined, 'bytes=102400-']);
});

describe('a lock', () => {
  const whileHeld = async (place: string) => {
    const events: string[] = [];
    const hold = (name: string) =>
      withLock(place, {}, async () => {
        events.push(`${name} in`);
        await new Promise((resolve) => setTimeout(resolve, 20));
        events.push(`${name} out`);
      });
    await Promise.all(['a', 'b', 'c'].map(hold));
    return events.map((event) => event.slice(2)).join(' ');
  };

  it('lets one in at a time, with flock and without', async () => {
    expect(await whileHeld(path.join(hub.folder, 'locks', 'x.lock'))).toBe('in out in out in out');
    vi.stubEnv('PATH', '');
    expect(await whileHeld(path.join(hub.folder, 'locks', 'y.lock'))).toBe('in out in out in out');
    expect(fs.readdirSync(path.join(hub.folder, 'locks')).filter((name) => name.includes('held'))).toEqual([]);
  });

  it('of a process that died is taken over', async () => {
    vi.stubEnv('PATH', '');
    const place = path.join(hub.folder, 'z.lock');
    fs.writeFileSync(`${place}.held`, '');
    fs.utimesSync(`${place}.held`, 0, 0);
    expect(await withLock(place, {}, async () => 'in')).toBe('in');
  });

  it.skipIf(!hasFlock)('is the one that Python takes', async () => {
    const place = path.join(hub.cacheDir, '.locks', 'models--org--tiny', `${sha256(WEIGHTS)}.lock`);
    fs.mkdirSync(path.dirname(place), { recursive: true });
    const holder = spawn('flock', [place, 'sh', '-c', 'echo held; read line'], { stdio: ['pipe', 'pipe', 'inherit'] });
    running.add(holder);
    await once(holder.stdout, 'data');
    const fetched = fetchModel();
    await vi.waitFor(
      () => expect(fs.existsSync(repository('snapshots', tinyRepository().commit, 'vocab.json'))).toBe(true),
      5000,
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(downloads()).toEqual([]);
    holder.stdin.end('\n');
    await fetched;
    expect(downloads()).toHaveLength(1);
  });

  it.skipIf(!hasFlock)('is not waited for when the work is called off', async () => {
    const place = path.join(hub.folder, 'w.lock');
    const controller = new AbortController();
    await withLock(place, {}, async () => {
      const waiting = withLock(place, { signal: controller.signal }, async () => 'in');
      controller.abort(new Error('enough'));
      await expect(waiting).rejects.toThrow('enough');
    });
  });
});
