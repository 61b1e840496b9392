import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';

// Everything is written under a name aside (`<name>.tmp-s2s-<process>-<random>`, on the same disk) and renamed when it is whole,
// which the file system does at once or not at all. A killed process leaves at most such a name, which the next write to the
// same place removes.

/** Names aside that this process is writing. */
const active = new Set<string>();

/** A name to write under until what belongs at `place` is whole; to be given back. */
export function nameAside(place: string): string {
  const name = `${place}.tmp-s2s-${process.pid}-${randomBytes(4).toString('hex')}`;
  active.add(name);
  return name;
}

export function giveBack(name: string): void {
  active.delete(name);
}

/** Removes names aside in a directory, of `name` or of all, whose process has ended. */
export async function removeLeftovers(directory: string, name?: string): Promise<void> {
  for (const entry of await fs.readdir(directory).catch(() => [])) {
    const [, base, id] = /^(.+)\.tmp-s2s-(\d+)-[0-9a-f]{8}$/.exec(entry) ?? [];
    if (base === undefined || base !== (name ?? base)) continue;
    const place = path.join(directory, entry);
    const inUse = Number(id) === process.pid ? active.has(place) : isRunning(Number(id));
    if (!inUse) await fs.rm(place, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Whether a process of this machine is alive. */
export function isRunning(id: number): boolean {
  try {
    return process.kill(id, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
