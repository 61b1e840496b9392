import { readFile } from 'node:fs/promises';
import { Progress } from '../progress.js';
import type { RepositoryCache } from './cache.js';
import { type Answer, ATTEMPTS, type HubClient, withRetries } from './client.js';
import { downloadTo, explainDisk, type RemoteFile } from './download.js';
import { Moved, NotAHub, Refused, Unreachable } from './failures.js';
import { withLock } from './lock.js';
import type { FileSource } from './needed-files.js';
import type { HubSettings } from './settings.js';

/** Files from this size on get a bar. */
const BAR_BYTES = 1_000_000;
/** Without a network, or where there is another way, a server that does not answer is not waited for long. */
const HURRIED_ATTEMPTS = 2;

/** A repository on the hub at one revision. Each file is asked for at most once, and none that the cache knows about. */
export class RemoteRepository implements FileSource {
  readonly #id: string;
  readonly #cache: RepositoryCache;
  readonly #client: HubClient;
  readonly #settings: HubSettings;
  readonly #isReplaceable: boolean;
  readonly #fetched = new Set<string>();
  readonly #heads = new Map<string, Promise<RemoteFile | undefined>>();
  #listed: ReadonlySet<string> | undefined;
  #commit: string | undefined;

  /** @param isReplaceable whether the cache holds what would do, if the hub does not answer */
  constructor(id: string, cache: RepositoryCache, client: HubClient, settings: HubSettings, isReplaceable: boolean) {
    this.#id = id;
    this.#cache = cache;
    this.#client = client;
    this.#settings = settings;
    this.#isReplaceable = isReplaceable;
  }

  /** The commit that all files are of, once an answer has told it. */
  get commit(): string | undefined {
    return this.#commit;
  }

  /** Names of all files, where the server lists them (mirrors may not). */
  get listed(): ReadonlySet<string> | undefined {
    return this.#listed;
  }

  /** Asks for all names at once, which saves asking for each. */
  async list(): Promise<void> {
    const { revision } = this.#settings;
    let listing: unknown;
    try {
      const url = this.#url(`api/models/${this.#id}/revision/${encodeURIComponent(revision)}`);
      listing = await withRetries(() => this.#client.json(url), {
        attempts: () => HURRIED_ATTEMPTS,
        signal: this.#settings.signal,
      });
    } catch (error) {
      // The files themselves will tell whether there is more amiss than the listing.
      if (error instanceof Refused || error instanceof Unreachable || error instanceof SyntaxError) return;
      throw error;
    }
    const { sha, siblings } = (listing ?? {}) as { sha?: unknown; siblings?: unknown };
    if (typeof sha !== 'string' || !isCommitName(sha) || !Array.isArray(siblings) || siblings.length === 0) return;
    this.#commit = sha;
    this.#listed = new Set(siblings.map((sibling: { rfilename?: unknown } | null) => String(sibling?.rfilename)));
  }

  async has(file: string): Promise<boolean> {
    const commit = this.#commit;
    if (commit !== undefined && this.#listed) {
      if (!this.#listed.has(file)) await this.#cache.rememberAbsence(commit, file);
      return this.#listed.has(file);
    }
    if (commit !== undefined && !this.#settings.forceDownload) {
      if (this.#cache.has(commit, file)) return true;
      if (this.#cache.isKnownAbsent(commit, file)) return false;
    }
    return (await this.#head(file)) !== undefined;
  }

  async read(file: string): Promise<string> {
    await this.fetch(file);
    return readFile(this.#cache.file(this.#commit!, file), 'utf8');
  }

  /** Sees to it that the snapshot has a file. */
  async fetch(file: string): Promise<void> {
    const { forceDownload, endpoint } = this.#settings;
    const isOld = this.#commit !== undefined && !forceDownload && this.#cache.has(this.#commit, file);
    if (isOld || this.#fetched.has(file)) return;
    const remote = await this.#known(file);
    try {
      await this.#download(remote);
    } catch (error) {
      if (!(error instanceof Refused) || remote.url.origin === endpoint.origin) throw error;
      // The other host's address was signed for a limited time.
      this.#heads.delete(file);
      await this.#download(await this.#known(file));
    }
    this.#fetched.add(file);
  }

  async #download(file: RemoteFile): Promise<void> {
    const { forceDownload, signal, warn } = this.#settings;
    const { name, etag } = file;
    const [commit, blob] = [this.#commit!, this.#cache.blob(etag)];
    const onWait = () => warn(`waiting for another process that downloads ${name}.`);
    try {
      await withLock(this.#cache.lock(etag), { signal, onWait }, async () => {
        const isNew = forceDownload || !this.#cache.hasBlob(etag, file.size);
        if (isNew) await this.#downloadTo(blob, file);
        await this.#cache.link(commit, name, etag, isNew);
      });
    } catch (error) {
      await explainDisk(error, blob, file);
    }
  }

  async #downloadTo(blob: string, file: RemoteFile): Promise<void> {
    const { name, size } = file;
    const { showProgress, onProgress } = this.#settings;
    const bar = new Progress(name, size, !showProgress || size < BAR_BYTES, process.stderr, showBytes);
    try {
      await downloadTo(blob, file, this.#client, this.#settings, (done) => {
        bar.update(done);
        onProgress?.({ file: name, done, total: size });
      });
    } finally {
      bar.finish();
    }
  }

  async #known(file: string): Promise<RemoteFile> {
    return (await this.#head(file)) ?? Promise.reject(new Moved(`${file} is listed, but not there`));
  }

  /** What the hub says of a file; undefined when the commit has none of that name. */
  #head(file: string): Promise<RemoteFile | undefined> {
    const known = this.#heads.get(file);
    if (known) return known;
    const asked = this.#ask(file);
    this.#heads.set(file, asked);
    return asked;
  }

  async #ask(file: string): Promise<RemoteFile | undefined> {
    const { revision } = this.#settings;
    const place = file.split('/').map(encodeURIComponent).join('/');
    const url = this.#url(`${this.#id}/resolve/${encodeURIComponent(revision)}/${place}`);
    try {
      const answer = await this.#patiently(() => this.#client.head(url));
      const { commit, ...remote } = describe(file, answer);
      this.#agree(commit);
      return remote;
    } catch (error) {
      if (!(error instanceof Refused) || error.reason !== 'entry') throw error;
      if (error.commit !== undefined && isCommitName(error.commit)) {
        this.#agree(error.commit);
        await this.#cache.rememberAbsence(error.commit, file);
      }
      return undefined;
    }
  }

  #agree(commit: string): void {
    this.#commit ??= commit;
    if (this.#commit !== commit) throw new Moved(`${this.#settings.revision} moved from ${this.#commit} to ${commit}`);
  }

  #patiently<T>(work: () => Promise<T>): Promise<T> {
    const { signal, warn } = this.#settings;
    const attempts = () => (this.#isReplaceable || !this.#client.hasAnswered ? HURRIED_ATTEMPTS : ATTEMPTS);
    return withRetries(work, { attempts, signal, warn });
  }

  #url(place: string): URL {
    const { endpoint } = this.#settings;
    return new URL(`${endpoint.origin}${endpoint.pathname.replace(/\/$/, '')}/${place}`);
  }
}

/** Reads an answer's headers: those with X-Linked- tell of the file itself where the answer is but a redirect to it. */
function describe(name: string, answer: Answer): RemoteFile & { readonly commit: string } {
  const commit = answer.header('x-repo-commit');
  const etag = (answer.header('x-linked-etag') ?? answer.header('etag'))?.replace(/^[W/]+/, '').replace(/^"+|"+$/g, '');
  const length = answer.header('x-linked-size') ?? answer.header('content-length');
  const missing = [
    ...(commit && isCommitName(commit) ? [] : ['X-Repo-Commit']),
    ...(etag ? [] : ['ETag']),
    ...(length && /^\d+$/.test(length) ? [] : ['Content-Length']),
  ];
  if (!commit || !etag || missing.length > 0) {
    throw new NotAHub(`${answer.url.host} does not answer like a hub: without ${missing.join(', ')}`);
  }
  const location = answer.header('location');
  return { name, etag, size: Number(length), commit, url: location ? new URL(location, answer.url) : answer.url };
}

/** It becomes the name of a folder. */
function isCommitName(text: string): boolean {
  return /^\w[\w-]*$/.test(text);
}

/** `340 kB`, `1.63 GB`: as disks and downloads are counted, in powers of ten. */
function showBytes(bytes: number): string {
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
