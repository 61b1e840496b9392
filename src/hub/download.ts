import { createHash, type Hash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../errors.js';
import { type HubClient, type OpenAnswer, showUrl, withRetries } from './client.js';
import { Unreachable } from './failures.js';
import type { HubSettings } from './settings.js';

/** A file on the hub, as its head describes it. */
export interface RemoteFile {
  readonly name: string;
  readonly url: URL;
  readonly etag: string;
  readonly size: number;
}

/** What is being downloaded has this many bytes. */
type Report = (done: number) => void;

/**
 * Downloads a file to `<place>.incomplete` and moves it to its place when its length and its checksum are right. What an
 * earlier attempt left there, ours or Python's, is gone on with. The caller holds the file's lock.
 */
export async function downloadTo(
  place: string,
  file: RemoteFile,
  client: HubClient,
  settings: HubSettings,
  report: Report,
): Promise<void> {
  const aside = `${place}.incomplete`;
  try {
    await fs.mkdir(path.dirname(place), { recursive: true });
    if (settings.forceDownload || !settings.resumeDownload) await fs.rm(aside, { force: true });
    await checkSpace(place, file, (await sizeOf(aside)) ?? 0);
    const download = () => new Download(aside, file, client, settings, report).run();
    // What is wrong may be what was there before, or have been spoiled on the way.
    await download().catch((error: unknown) => (error instanceof WrongContent ? download() : Promise.reject(error)));
    await fs.rename(aside, place);
  } catch (error) {
    if (!(error instanceof WrongContent)) return explainDisk(error, place, file);
    fail(
      'hub',
      `${showUrl(file.url)} ${error.message}. What came was deleted. ` +
        'Try again later; if it stays so, tell the owner of the repository or of the mirror.',
    );
  }
}

/** What came cannot be the file; nothing of it is left. */
class WrongContent extends Error {}

class Download {
  readonly #aside: string;
  readonly #file: RemoteFile;
  readonly #client: HubClient;
  readonly #settings: HubSettings;
  readonly #report: Report;
  #hash: Hash | undefined;
  #done = 0;
  /** The furthest that any attempt got. */
  #furthest = 0;

  constructor(aside: string, file: RemoteFile, client: HubClient, settings: HubSettings, report: Report) {
    this.#aside = aside;
    this.#file = file;
    this.#client = client;
    this.#settings = settings;
    this.#report = report;
  }

  async run(): Promise<void> {
    const output = await fs.open(this.#aside, 'a+');
    try {
      await this.#goOnFrom(output);
      const { signal, warn } = this.#settings;
      let before = this.#done;
      const progressed = () => {
        const further = this.#furthest > before;
        before = this.#furthest;
        return further;
      };
      await withRetries(() => this.#attempt(output), { signal, warn, progressed });
      await output.sync();
      if (this.#hash && this.#hash.digest('hex') !== this.#file.etag) {
        throw new WrongContent(`sends what does not have the checksum ${this.#file.etag} that the hub states`);
      }
    } catch (error) {
      if (error instanceof WrongContent) await fs.rm(this.#aside, { force: true });
      throw error;
    } finally {
      await output.close();
    }
  }

  /** Takes in what is there already. */
  async #goOnFrom(output: fs.FileHandle): Promise<void> {
    this.#begin();
    const { size } = await output.stat();
    if (size > this.#file.size) return output.truncate(0);
    for await (const piece of output.createReadStream({ start: 0, autoClose: false })) this.#take(piece as Buffer);
  }

  #begin(): void {
    this.#hash = hashFor(this.#file);
    this.#done = 0;
  }

  async #attempt(output: fs.FileHandle): Promise<void> {
    const { size, url } = this.#file;
    if (this.#done === size) return;
    const answer = await this.#client.open(url, this.#done);
    const { from, total } = extentOf(answer);
    if ((total ?? size) !== size || (from !== 0 && from !== this.#done)) {
      answer.close();
      throw new WrongContent(
        total === undefined
          ? `sends nothing from byte ${this.#done} of ${size} on`
          : `has ${total} bytes where the hub states ${size}`,
      );
    }
    if (from !== this.#done) {
      // A server that knows no ranges begins at the beginning, and so do we.
      await output.truncate(0);
      this.#begin();
    }
    for await (const piece of answer.body) {
      if (this.#done + piece.byteLength > size) {
        answer.close();
        throw new WrongContent(`sends more than the ${size} bytes that the hub states`);
      }
      await output.appendFile(piece);
      this.#take(piece);
    }
    if (this.#done < size) {
      throw new Unreachable(`${showUrl(url)} ended after ${this.#done} of the ${size} bytes that the hub states`);
    }
  }

  #take(piece: Uint8Array): void {
    this.#hash?.update(piece);
    this.#done += piece.byteLength;
    this.#furthest = Math.max(this.#furthest, this.#done);
    this.#report(this.#done);
  }
}

/** At which byte the body of an answer begins, and how long the whole file is, as far as the server says. */
function extentOf(answer: OpenAnswer): { from: number | undefined; total: number | undefined } {
  const { 1: from, 2: total } = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(answer.header('content-range') ?? '') ?? [];
  if (answer.status === 206 || answer.status === 416) return { from: number(from), total: number(total) };
  return { from: 0, total: number(answer.header('content-length')) };
}

function number(digits: string | undefined): number | undefined {
  return digits !== undefined && /^\d+$/.test(digits) ? Number(digits) : undefined;
}

/** An etag says what the content hashes to: SHA-256 for large files, git's SHA-1 of a blob for small ones. */
function hashFor({ etag, size }: RemoteFile): Hash | undefined {
  if (/^[0-9a-f]{64}$/.test(etag)) return createHash('sha256');
  if (/^[0-9a-f]{40}$/.test(etag)) return createHash('sha1').update(`blob ${size}\0`);
  return undefined;
}

async function sizeOf(place: string): Promise<number | undefined> {
  return (await fs.stat(place).catch(() => undefined))?.size;
}

async function checkSpace(place: string, file: RemoteFile, present: number): Promise<void> {
  const disk = await fs.statfs(path.dirname(place)).catch(() => undefined);
  const [needed, free] = [file.size - present, disk && disk.bavail * disk.bsize];
  if (free === undefined || free >= needed) return;
  fail('hub', `${file.name} needs ${needed} more bytes in ${path.dirname(place)}, where ${free} are free. ${makeRoom}`);
}

const makeRoom = 'Make room, or choose another place with cacheDir or HF_HUB_CACHE.';
const diskTroubles: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on the disk',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be larger than allowed',
  EACCES: 'permission denied',
  EPERM: 'the operation is not permitted',
  EROFS: 'the disk is read-only',
  EIO: 'the disk reports an error',
  ENOTDIR: 'a part of the path is no directory',
  EEXIST: 'a part of the path is no directory',
};

/** A failure of the disk in words; others as they are. */
export async function explainDisk(error: unknown, place: string, file: RemoteFile): Promise<never> {
  const trouble = diskTroubles[(error as NodeJS.ErrnoException | null)?.code ?? ''];
  if (trouble === undefined) throw error;
  const room = /space|quota/.test(trouble) ? ` The file has ${file.size} bytes; what is there is gone on with.` : '';
  return fail('hub', `${file.name} cannot be written in ${path.dirname(place)}: ${trouble}.${room} ${makeRoom}`, error);
}
