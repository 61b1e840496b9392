import { spawn } from 'node:child_process';
import { constants, type Stats } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

// Python's client locks a file with flock(2). A lock of that kind belongs to the open file and not to a process, so that the
// command flock(1), given our descriptor, locks it for us and leaves; macOS can lock while opening. Where neither exists, a
// file that only one process can create stands in: it keeps our own processes apart.

/** Of macOS's open(2), which Node passes on: the file is locked as by flock. */
const O_EXLOCK = 0x20;
const POLL_MS = 100;
const PATIENCE_MS = 10_000;
/** The holder of a file that stands in for a lock renews it this often; one left alone for longer is of a process that died. */
const RENEWAL_MS = 2_000;
const STALE_MS = 15_000;

export interface Waiting {
  readonly signal?: AbortSignal | undefined;
  /** Told once when another holder is not done after a while. */
  readonly onWait?: () => void;
}

type Release = () => Promise<void>;
type Attempt = (place: string, signal: AbortSignal | undefined) => Promise<Release | 'held' | 'unsupported'>;

/** Does the work while no other process, Python's included, has the lock. The file stays, as Python leaves it. */
export async function withLock<T>(place: string, { signal, onWait }: Waiting, work: () => Promise<T>): Promise<T> {
  await fs.mkdir(path.dirname(place), { recursive: true });
  const timer = onWait && setTimeout(onWait, PATIENCE_MS);
  let release: Release;
  try {
    release = await acquire(place, signal);
  } finally {
    clearTimeout(timer);
  }
  try {
    return await work();
  } finally {
    await release();
  }
}

async function acquire(place: string, signal: AbortSignal | undefined): Promise<Release> {
  let attempt = process.platform === 'win32' ? createAside : lockFile;
  for (;;) {
    signal?.throwIfAborted();
    const result = await attempt(place, signal);
    if (typeof result === 'function') return result;
    if (result === 'unsupported') attempt = createAside;
    else await sleep(POLL_MS, undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
}

const lockFile: Attempt = async (place, signal) => {
  const { O_RDWR, O_CREAT, O_NONBLOCK } = constants;
  const locksOnOpen = process.platform === 'darwin';
  let file: fs.FileHandle;
  try {
    file = await fs.open(place, O_RDWR | O_CREAT | (locksOnOpen ? O_NONBLOCK | O_EXLOCK : 0), 0o666);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (locksOnOpen && code === 'EAGAIN') return 'held';
    if (locksOnOpen && /^(ENOTSUP|EOPNOTSUPP|ENOSYS)$/.test(code)) return 'unsupported';
    throw error;
  }
  try {
    if (!locksOnOpen && !(await lockDescriptor(file.fd, signal))) {
      await file.close();
      return 'unsupported';
    }
    // Whoever held it may have removed the file meanwhile, and the next one has locked a new file.
    const [ours, present] = await Promise.all([file.stat(), fs.stat(place).catch(() => undefined)]);
    if (present?.ino === ours.ino) return () => file.close();
    await file.close();
    return 'held';
  } catch (error) {
    await file.close();
    throw error;
  }
};

/** Waits until an open file is locked; false where the command or the file system cannot do it. */
function lockDescriptor(descriptor: number, signal: AbortSignal | undefined): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const command = spawn('flock', ['3'], {
      stdio: ['ignore', 'ignore', 'ignore', descriptor],
      ...(signal && { signal }),
    });
    command.once('error', () => {
      if (signal?.aborted) reject(signal.reason);
      else resolve(false);
    });
    command.once('close', (status) => resolve(status === 0));
  });
}

const createAside: Attempt = async (place) => {
  const aside = `${place}.held`;
  try {
    await (await fs.open(aside, 'wx')).close();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    // Windows says EPERM while a file of that name is being removed.
    if (code !== 'EEXIST' && !(process.platform === 'win32' && code === 'EPERM')) throw error;
    await removeStale(aside);
    return 'held';
  }
  const renewal = setInterval(() => {
    const now = new Date();
    fs.utimes(aside, now, now).catch(() => {});
  }, RENEWAL_MS);
  renewal.unref();
  return async () => {
    clearInterval(renewal);
    await fs.rm(aside, { force: true });
  };
};

/** Moved away before it is removed: of several processes that find it stale, only one may take it. */
async function removeStale(aside: string): Promise<void> {
  const isStale = (stats: Stats | undefined) => stats !== undefined && Date.now() - stats.mtimeMs > STALE_MS;
  if (!isStale(await fs.stat(aside).catch(() => undefined))) return;
  const removed = `${aside}.${process.pid}`;
  try {
    await fs.rename(aside, removed);
    if (!isStale(await fs.stat(removed))) await fs.link(removed, aside);
    await fs.rm(removed, { force: true });
  } catch {
    // Another process was faster.
  }
}
