import { renameSync, rmSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { giveBack, nameAside, removeLeftovers } from '../aside.js';
import { fail, Seq2SeqError } from '../errors.js';
import { makeDirectories, nearestDirectory } from './directory.js';
import { describeSystemError, systemErrorCode } from './system-error.js';

/** A file to be written, with a folder before its name or none; its bytes are those of the pieces, in order, which may be views of shared memory. */
export interface FileContent {
  readonly name: string;
  readonly pieces: readonly NodeJS.ArrayBufferView[];
}

/** Bytes passed to the system at a time. */
const portion = 1 << 26;

/** Replaces or creates a file: readers see the old content or the new, never a part. `area` opens error messages. */
export async function writeFileWhole(place: string, content: string | Uint8Array, area = 'output'): Promise<void> {
  const folder = path.dirname(path.resolve(place));
  const name = path.basename(place);
  await removeLeftovers(folder, name);
  await replaceFiles(folder, [{ name, pieces: [toBytes(content)] }], { area });
}

export interface WriteOptions {
  /** Opens error messages. */
  readonly area: string;
  /** One of the files, the last, without which readers take none of the others: not there while they change. */
  readonly gate?: string | undefined;
  /** Files that go when the new ones are in place, in this order. */
  readonly stale?: readonly string[];
  /** Folders that may hold left-overs or stale files; they go too, when nothing is left in them. */
  readonly folders?: readonly string[];
}

/**
 * Writes files that belong together. A directory that does not exist yet appears with all of them at once. In one that exists
 * they are renamed one after the other, in the order given, after all are written: no file system replaces several files at
 * once, but nothing is replaced unless everything could be written. Files of other names stay.
 */
export async function writeFilesWhole(
  directory: string,
  contents: readonly FileContent[],
  options: WriteOptions,
): Promise<void> {
  const { area, folders = [] } = options;
  const place = path.resolve(directory);
  const stats = await fs.stat(place).catch(() => undefined);
  if (stats && !stats.isDirectory()) fail(area, `${directory} is a file, not a directory. Choose another directory.`);
  if (stats) {
    for (const folder of new Set(['', ...foldersOf(contents), ...folders]))
      await removeLeftovers(path.join(place, folder));
    await replaceFiles(place, contents, options);
  } else {
    await removeLeftovers(path.dirname(place), path.basename(place));
    await createDirectory(area, place, contents);
  }
}

/** The folder before a file's name, empty for none. */
export function folderOf(name: string): string {
  return name.includes('/') ? path.posix.dirname(name) : '';
}

function foldersOf(contents: readonly FileContent[]): string[] {
  return [...new Set(contents.map(({ name }) => folderOf(name)))].filter((folder) => folder !== '');
}

export function toBytes(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? Buffer.from(content) : content;
}

/** Removes a directory: it is gone at once, and its files after that. */
export async function removeDirectory(directory: string): Promise<void> {
  const place = path.resolve(directory);
  const aside = nameAside(place);
  try {
    await fs.rename(place, aside).catch((error) => {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
    });
    await remove(aside);
  } finally {
    giveBack(aside);
  }
}

async function createDirectory(area: string, directory: string, contents: readonly FileContent[]): Promise<void> {
  const parent = path.dirname(directory);
  const aside = nameAside(directory);
  try {
    await makeDirectories(parent);
    const folders = ['', ...foldersOf(contents)].map((folder) => path.join(aside, folder));
    for (const folder of folders) await fs.mkdir(folder);
    for (const content of contents) await writeNew(path.join(aside, content.name), content);
    for (const folder of folders) await flushDirectory(folder);
    await fs.rename(aside, directory);
    await flushDirectory(parent);
  } catch (error) {
    await remove(aside);
    await explain(area, directory, contents, error);
  } finally {
    giveBack(aside);
  }
}

async function replaceFiles(
  directory: string,
  contents: readonly FileContent[],
  { area, gate, stale = [], folders = [] }: WriteOptions,
): Promise<void> {
  const renames = contents.map((content) => {
    const place = path.join(directory, content.name);
    return { content, place, aside: nameAside(place) };
  });
  const written = foldersOf(contents).map((folder) => path.join(directory, folder));
  const made: string[] = [];
  const replaced: fs.FileHandle[] = [];
  let writing = directory;
  try {
    for (const folder of written) {
      writing = folder;
      if (await makeFolder(area, folder)) made.push(folder);
    }
    for (const { content, place, aside } of renames) {
      writing = place;
      const stats = await fs.lstat(place).catch(() => undefined);
      // Found out now, since a rename would only fail after others were done.
      if (stats?.isDirectory()) fail(area, `${place} is a directory, a file is to be written there. Move it away.`);
      // Held open, a replaced file gives its blocks back after the renames instead of in them, which would take long.
      // (Windows locks open files.)
      if (stats?.isFile() && process.platform !== 'win32') replaced.push(await fs.open(place, 'r'));
      await writeNew(aside, content);
    }
    // Without waiting in between: the moment in which old and new files stand side by side is made short.
    if (gate !== undefined) rmSync(path.join(directory, gate), { force: true });
    for (const { place, aside } of renames) {
      writing = place;
      renameSync(aside, place);
    }
    for (const folder of [...written, directory]) await flushDirectory(folder);
  } catch (error) {
    for (const { aside } of renames) await remove(aside);
    for (const folder of made) await removeEmpty(folder);
    await explain(area, writing, contents, error);
  } finally {
    for (const { aside } of renames) giveBack(aside);
    for (const file of replaced) await file.close();
  }
  const old = stale.map((name) => path.join(directory, name));
  for (const place of old) await removeStale(area, place);
  for (const folder of new Set(old.map((place) => path.dirname(place)))) await flushDirectory(folder);
  for (const folder of folders) await removeEmpty(path.join(directory, folder));
}

async function removeStale(area: string, place: string): Promise<void> {
  try {
    await fs.rm(place, { force: true });
  } catch (error) {
    fail(
      area,
      `${place} cannot be removed: ${describeSystemError(error)}. What was to be saved is there; remove this file, which readers ` +
        'could take for a part of it.',
      error,
    );
  }
}

/** True if it was not there. */
async function makeFolder(area: string, place: string): Promise<boolean> {
  const stats = await fs.stat(place).catch(() => undefined);
  if (stats && !stats.isDirectory()) fail(area, `${place} is a file, a folder is to be written there. Move it away.`);
  if (!stats) await fs.mkdir(place);
  return !stats;
}

async function removeEmpty(folder: string): Promise<void> {
  await fs.rmdir(folder).catch(() => undefined);
}

async function writeNew(place: string, { pieces }: FileContent): Promise<void> {
  const file = await fs.open(place, 'wx');
  try {
    for (const piece of pieces) {
      for (let start = 0; start < piece.byteLength; ) {
        const length = Math.min(portion, piece.byteLength - start);
        const { bytesWritten } = await file.write(new Uint8Array(piece.buffer, piece.byteOffset + start, length));
        start += bytesWritten;
      }
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the names in a directory durable; Windows has no such operation. */
async function flushDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await fs.open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function remove(place: string): Promise<void> {
  await fs.rm(place, { recursive: true, force: true }).catch(() => undefined);
}

async function explain(area: string, place: string, contents: readonly FileContent[], error: unknown): Promise<never> {
  if (error instanceof Seq2SeqError || systemErrorCode(error) === undefined) throw error;
  const needed = contents.flatMap(({ pieces }) => pieces).reduce((total, piece) => total + piece.byteLength, 0);
  const free = await freeBytes(place);
  const missing = free !== undefined && free < needed ? `: ${needed - free} are missing` : '';
  return fail(
    area,
    `${place} cannot be written: ${describeSystemError(error)}. ${needed} bytes are needed` +
      `${free === undefined ? '' : `, ${free} are free there${missing}`}. Make room or give access there, or choose another place.`,
    error,
  );
}

async function freeBytes(place: string): Promise<number | undefined> {
  const disk = await fs.statfs(await nearestDirectory(place)).catch(() => undefined);
  return disk && disk.bavail * disk.bsize;
}
