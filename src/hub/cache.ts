import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { fail, nearest } from '../errors.js';

/** A full name of a commit; branches and tags are looked up instead. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/**
 * A repository in the cache, laid out as Python's client has it:
 *
 *     models--org--name/blobs/<etag>              contents, once each
 *                       snapshots/<commit>/<file>  links to ../../blobs/<etag>
 *                       refs/<revision>            the commit a branch or tag stood for when last looked at
 *                       .no_exist/<commit>/<file>  empty, for files that the commit is known not to have
 *     .locks/models--org--name/<etag>.lock         held while a blob is written
 */
export class RepositoryCache {
  readonly #folder: string;
  readonly #locks: string;

  constructor(cacheDir: string, id: string) {
    const name = `models--${id.replaceAll('/', '--')}`;
    this.#folder = path.join(cacheDir, name);
    this.#locks = path.join(cacheDir, '.locks', name);
  }

  snapshot(commit: string): string {
    return path.join(this.#folder, 'snapshots', commit);
  }

  file(commit: string, file: string): string {
    return within(this.snapshot(commit), file);
  }

  blob(etag: string): string {
    return within(path.join(this.#folder, 'blobs'), etag);
  }

  lock(etag: string): string {
    return within(this.#locks, `${etag}.lock`);
  }

  /** The commit that a revision stood for when it was last looked at. */
  commitOf(revision: string): string | undefined {
    if (isCommit(revision)) return revision;
    const place = this.#ref(revision);
    const commit = existsSync(place) ? readFileSync(place, 'utf8').trim() : '';
    return /^[\w-]+$/.test(commit) ? commit : undefined;
  }

  /** Whether a file is there, in full: a link into nothing is not. */
  has(commit: string, file: string): boolean {
    return existsSync(this.file(commit, file));
  }

  /** Whether a content is there; of another length it was spoiled by a crash of the machine. */
  hasBlob(etag: string, size: number): boolean {
    return statSync(this.blob(etag), { throwIfNoEntry: false })?.size === size;
  }

  isKnownAbsent(commit: string, file: string): boolean {
    return existsSync(this.#absence(commit, file));
  }

  async rememberCommit(revision: string, commit: string): Promise<void> {
    if (revision === commit || this.commitOf(revision) === commit) return;
    await this.#place(this.#ref(revision), (aside) => fs.writeFile(aside, commit)).catch((error: unknown) => {
      // In a cache that is only to be read, of another user or shared, the snapshot is there all the same.
      if (!/^(EACCES|EPERM|EROFS)$/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
    });
  }

  /** That this cannot be written (a cache of another user's) costs no more than to ask again. */
  async rememberAbsence(commit: string, file: string): Promise<void> {
    const place = this.#absence(commit, file);
    try {
      await fs.mkdir(path.dirname(place), { recursive: true });
      await fs.writeFile(place, '', { flag: 'a' });
    } catch {}
  }

  /** Lets a snapshot have a file that is among the blobs; the link appears or changes in one step. */
  async link(commit: string, file: string, etag: string, isNew: boolean): Promise<void> {
    const [place, blob] = [this.file(commit, file), this.blob(etag)];
    const target = path.relative(path.dirname(place), blob);
    if ((await fs.readlink(place).catch(() => undefined)) === target) return;
    await this.#place(place, async (aside) => {
      try {
        await fs.symlink(target, aside);
      } catch {
        // No links on this system or disk: the snapshot has the content itself.
        if (isNew) await fs.rename(blob, aside);
        else await fs.copyFile(blob, aside);
      }
    });
  }

  /** Makes a file under a name aside in the repository's folder, and moves it to its place. */
  async #place(place: string, make: (aside: string) => Promise<unknown>): Promise<void> {
    await fs.mkdir(path.dirname(place), { recursive: true });
    const aside = path.join(this.#folder, `tmp_${randomUUID()}`);
    try {
      await make(aside);
      await fs.rename(aside, place);
    } catch (error) {
      await fs.rm(aside, { force: true }).catch(() => {});
      throw error;
    }
  }

  #ref(revision: string): string {
    return within(path.join(this.#folder, 'refs'), revision);
  }

  #absence(commit: string, file: string): string {
    return within(path.join(this.#folder, '.no_exist', commit), file);
  }
}

/** The repository in the cache whose id is closest to one that was not found. */
export function similarCachedId(cacheDir: string, id: string): string | undefined {
  const folders = existsSync(cacheDir) ? readdirSync(cacheDir) : [];
  const ids = folders
    .filter((name) => name.startsWith('models--'))
    .map((name) => name.slice('models--'.length).replace('--', '/'));
  return nearest(
    id,
    ids.filter((each) => each !== id),
  );
}

/** A path below a folder; names come from servers, and may not lead out of it. */
function within(folder: string, name: string): string {
  const place = path.join(folder, ...name.split('/'));
  if (name === '' || path.relative(folder, place).split(path.sep)[0] === '..' || path.resolve(place) === folder) {
    fail('hub', `${JSON.stringify(name)} is no name of a file in a repository. Check where the repository comes from.`);
  }
  return place;
}
