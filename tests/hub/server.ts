import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A repository as the hub has it. Files named in `large` are stored as LFS: another host serves them. */
export interface Repository {
  commit: string;
  files: Record<string, string | Buffer>;
  large?: readonly string[];
  /** The token that may read it; without it the hub says 401, as for repositories that do not exist. */
  token?: string;
  /** 403 for all who have no {@link token}. */
  gated?: boolean;
}

/** What a request meets instead of good service, so many times. */
export interface Fault {
  /** Matched against `HEAD hub /org/name/resolve/main/config.json`. */
  readonly on: RegExp;
  times: number;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes of the body after which the connection is cut. */
  readonly cutAfter?: number;
  /** Bytes of the body after which nothing more comes. 0: not even a status. */
  readonly stallAfter?: number;
  /** Sent instead of the content, with its length. */
  readonly body?: Buffer;
  /** Announced instead of the length; the connection ends after the content. */
  readonly length?: number;
  readonly ignoreRange?: boolean;
  /** Milliseconds between pieces of the body. */
  readonly slow?: number;
}

export interface Seen {
  readonly method: string;
  readonly host: 'hub' | 'cdn';
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

const PIECES = 8;

/** Speaks the hub's protocol on two hosts of this machine, one for large files, and misbehaves as it is told. */
export class HubServer {
  readonly repositories = new Map<string, Repository>();
  readonly seen: Seen[] = [];
  faults: Fault[] = [];
  /** Mirrors have no listing of a repository's files. */
  hasListing = true;
  /** Told of each request before it is answered. */
  onRequest: (seen: Seen) => void = () => {};
  /** Old names and the new ones they redirect to. */
  readonly renamed = new Map<string, string>();
  readonly #hub: Server;
  readonly #cdn: Server;

  private constructor() {
    this.#hub = createServer((request, response) => this.#answer('hub', request, response));
    this.#cdn = createServer((request, response) => this.#answer('cdn', request, response));
  }

  static async start(): Promise<HubServer> {
    const server = new HubServer();
    for (const each of [server.#hub, server.#cdn]) {
      await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve));
    }
    return server;
  }

  get url(): string {
    return addressOf(this.#hub);
  }

  get cdnUrl(): string {
    return addressOf(this.#cdn);
  }

  reset(): void {
    this.repositories.clear();
    this.renamed.clear();
    this.seen.length = 0;
    this.faults = [];
    this.hasListing = true;
    this.onRequest = () => {};
  }

  async stop(): Promise<void> {
    for (const each of [this.#hub, this.#cdn]) {
      each.closeAllConnections();
      await new Promise((resolve) => each.close(resolve));
    }
  }

  /** `GET hub config.json`, `HEAD hub …`: what was asked for, file names without the path before them. */
  asked(method?: string): string[] {
    return this.seen
      .filter((each) => method === undefined || each.method === method)
      .map((each) => `${each.method} ${each.host} ${each.path.replace(/^.*\/resolve\/[^/]+\//, '')}`);
  }

  #answer(host: 'hub' | 'cdn', request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '', headers } = request;
    const { authorization, range } = headers;
    const [path = ''] = url.split('?');
    const seen = { method, host, path, authorization, range };
    this.seen.push(seen);
    this.onRequest(seen);
    const fault = this.faults.find((each) => each.times > 0 && each.on.test(`${method} ${host} ${path}`));
    if (fault) fault.times--;
    if (fault?.stallAfter === 0) return;
    if (fault?.status !== undefined) {
      response.writeHead(fault.status, fault.headers).end();
      return;
    }
    if (host === 'cdn') this.#answerLarge(path, request, response, fault);
    else this.#answerHub(path, request, response, fault);
  }

  /** Signed addresses: the signature is the authorization, and another one is refused, as S3 does. */
  #answerLarge(path: string, request: IncomingMessage, response: ServerResponse, fault: Fault | undefined): void {
    const wanted = path.slice('/lfs/'.length);
    const contents = [...this.repositories.values()].flatMap(({ files, large = [] }) =>
      large.map((name) => Buffer.from(files[name]!)),
    );
    const content = contents.find((each) => sha256(each) === wanted);
    if (request.headers.authorization !== undefined || !content) response.writeHead(400).end();
    else send(request, response, content, { etag: '"of-the-cdn"' }, fault);
  }

  #answerHub(path: string, request: IncomingMessage, response: ServerResponse, fault: Fault | undefined): void {
    const resolved = /^\/(?<id>.+)\/resolve\/(?<revision>[^/]+)\/(?<file>.+)$/.exec(path)?.groups;
    const listed = /^\/api\/models\/(?<id>.+)\/revision\/(?<revision>[^/]+)$/.exec(path)?.groups;
    const { id = '', revision = '', file } = resolved ?? listed ?? {};
    const newName = this.renamed.get(id);
    if (newName !== undefined) {
      response.writeHead(307, { location: path.replace(id, newName) }).end();
      return;
    }
    if (listed && !this.hasListing) {
      response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not found</h1>');
      return;
    }
    const repository = this.repositories.get(id);
    const isAllowed = repository?.token === undefined || request.headers.authorization === `Bearer ${repository.token}`;
    if (!repository || (!isAllowed && !repository.gated)) {
      refuse(response, 401, 'RepoNotFound', 'Repository not found');
    } else if (!['main', repository.commit].includes(decodeURIComponent(revision))) {
      refuse(response, 404, 'RevisionNotFound', 'Invalid rev id');
    } else if (listed) {
      const siblings = Object.keys(repository.files).map((rfilename) => ({ rfilename }));
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ id, sha: repository.commit, siblings }));
    } else if (!isAllowed) {
      refuse(response, 403, 'GatedRepo', 'Access to this model is restricted');
    } else {
      this.#answerFile(repository, file!, request, response, fault);
    }
  }

  #answerFile(
    { commit, files, large }: Repository,
    file: string,
    request: IncomingMessage,
    response: ServerResponse,
    fault: Fault | undefined,
  ): void {
    const text = files[file];
    if (text === undefined) {
      refuse(response, 404, 'EntryNotFound', 'Entry not found', { 'x-repo-commit': commit });
      return;
    }
    const content = Buffer.from(text);
    if (!large?.includes(file)) {
      send(request, response, content, { etag: `"${gitSha1(content)}"`, 'x-repo-commit': commit }, fault);
      return;
    }
    response.writeHead(302, {
      location: `${this.cdnUrl}/lfs/${sha256(content)}?signature=secret`,
      'x-repo-commit': commit,
      'x-linked-etag': `"${sha256(content)}"`,
      'x-linked-size': content.length,
      'content-length': 0,
    });
    response.end();
  }
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  content: Buffer,
  headers: Record<string, string>,
  fault: Fault | undefined,
): Promise<void> {
  const from = fault?.ignoreRange ? 0 : Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (from > 0 && from >= content.length) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  const body = fault?.body ?? content.subarray(from);
  response.writeHead(from > 0 ? 206 : 200, {
    ...headers,
    'content-length': fault?.length ?? body.length,
    ...(from > 0 && { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }),
  });
  const end = fault?.cutAfter ?? fault?.stallAfter ?? body.length;
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const step = fault?.slow ? Math.ceil(end / PIECES) : Math.max(1, end);
  for (let start = 0; start < end; start += step) {
    response.write(body.subarray(start, Math.min(end, start + step)));
    if (fault?.slow) await new Promise((resolve) => setTimeout(resolve, fault.slow));
  }
  // What was written goes out before the cut.
  if (fault?.cutAfter !== undefined || fault?.length !== undefined) setTimeout(() => response.destroy(), 20);
  else if (fault?.stallAfter === undefined) response.end();
}

function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  words: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'x-error-code': code, 'x-error-message': words, ...headers }).end();
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** The name that git gives a file's content. */
export function gitSha1(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}

export const COMMIT = '0123456789abcdef0123456789abcdef01234567';

/** A repository with the names of a model's files; nobody loads what they hold. */
export function tinyRepository(): Repository {
  return {
    commit: COMMIT,
    files: {
      'README.md': '# A model',
      'config.json': '{"model_type": "bart"}',
      'generation_config.json': '{}',
      'tokenizer.json': '{"version": "1.0"}',
      'vocab.json': '{"<s>": 0}',
      'merges.txt': '#version: 0.2\n',
      'model.safetensors': Buffer.alloc(200_000, 'safetensors '),
      'pytorch_model.bin': Buffer.alloc(200_000, 'pickle '),
      'tf_model.h5': 'h5',
    },
    large: ['model.safetensors', 'pytorch_model.bin', 'tf_model.h5'],
  };
}
