import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, request } from 'undici';
import { fail } from '../errors.js';
import {
  describeNetworkError,
  isConfigurationError,
  NotAHub,
  networkErrorCode,
  Refused,
  reasonOf,
  Unreachable,
} from './failures.js';
import { dispatcherFor, proxyFor } from './proxy.js';
import type { HubSettings } from './settings.js';

/** The head of an answer, and where it came from after redirects. */
export interface Answer {
  readonly status: number;
  readonly url: URL;
  header(name: string): string | undefined;
}

export interface OpenAnswer extends Answer {
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets go of a body that is not read to its end. */
  close(): void;
}

type Method = 'GET' | 'HEAD';

interface Exchange {
  readonly range?: string;
  /** Milliseconds until the answer begins, and between two pieces of its body. */
  readonly timeout: number;
  /** `own`: only where a redirect names no host, as that of a renamed repository; `all`: to other hosts as well. */
  readonly redirects: 'own' | 'all';
}

const MOST_REDIRECTS = 10;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 8000;
/** A server that asks for more patience than this gets none. */
const MOST_PATIENCE_SECONDS = 120;
/** Attempts at an exchange whose failures may pass: with the waits between them some 16 seconds. */
export const ATTEMPTS = 7;

/** Exchanges with a hub: redirects, timeouts, proxies, and who gets to see the token. */
export class HubClient {
  readonly #settings: HubSettings;
  readonly #dispatchers = new Map<string, Dispatcher>();
  #hasAnswered = false;

  constructor(settings: HubSettings) {
    this.#settings = settings;
  }

  /** Whether any answer came, be it that the server is in trouble: there is a network, and patience may help. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  /** The head alone. An answer that redirects to another host is itself the answer, since it describes the file. */
  async head(url: URL): Promise<Answer> {
    const answer = await this.#exchange('HEAD', url, { timeout: this.#settings.answerTimeout, redirects: 'own' });
    answer.close();
    return answer;
  }

  async json(url: URL): Promise<unknown> {
    const answer = await this.#exchange('GET', url, { timeout: this.#settings.answerTimeout, redirects: 'all' });
    const pieces: Uint8Array[] = [];
    for await (const piece of this.#reading(answer)) pieces.push(piece);
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  }

  /** The content of a file from a byte on; status 200 means that the server sends it from its beginning all the same. */
  async open(url: URL, from: number): Promise<OpenAnswer> {
    const answer = await this.#exchange('GET', url, {
      timeout: this.#settings.downloadTimeout,
      redirects: 'all',
      ...(from > 0 && { range: `bytes=${from}-` }),
    });
    return { ...answer, body: this.#reading(answer) };
  }

  close(): void {
    for (const dispatcher of this.#dispatchers.values()) void dispatcher.destroy();
    this.#dispatchers.clear();
  }

  async #exchange(method: Method, start: URL, { range, timeout, redirects }: Exchange): Promise<OpenAnswer> {
    let url = start;
    for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
      const answer = await this.#send(method, url, timeout, range);
      const location = answer.status >= 300 && answer.status < 400 ? answer.header('location') : undefined;
      if (location === undefined) return this.#checked(answer);
      const isOwn = !/^([a-z][a-z0-9+.-]*:)?\/\//i.test(location);
      if (redirects === 'own' && !isOwn) return answer;
      answer.close();
      if (!URL.canParse(location, url.href)) break;
      url = new URL(location, url);
    }
    throw new NotAHub(`${showUrl(start)} redirects without end`);
  }

  async #send(method: Method, url: URL, timeout: number, range: string | undefined): Promise<OpenAnswer> {
    const { token, endpoint, signal } = this.#settings;
    try {
      const { statusCode, headers, body } = await request(url, {
        method,
        dispatcher: this.#dispatcher(url),
        headersTimeout: timeout,
        bodyTimeout: timeout,
        ...(signal && { signal }),
        headers: {
          'user-agent': `simple-seq2seq; node/${process.versions.node}`,
          // A compressed answer would hide the length and the bytes that checksums are of.
          'accept-encoding': 'identity',
          ...(range !== undefined && { range }),
          // The token is the hub's: no other host gets it, wherever a redirect leads.
          ...(token !== undefined && url.origin === endpoint.origin && { authorization: `Bearer ${token}` }),
        },
      });
      this.#hasAnswered = true;
      body.on('error', () => {});
      return {
        status: statusCode,
        url,
        header: (name) => [headers[name]].flat()[0],
        body,
        close: () => void body.dump().catch(() => {}),
      };
    } catch (error) {
      return this.#explain(url, error);
    }
  }

  /** The answer if it is of use; a refusal or a server's trouble as an error. 416 says how a download stands, and passes. */
  #checked(answer: OpenAnswer): OpenAnswer {
    const { status } = answer;
    if ((status >= 200 && status < 300) || status === 416) return answer;
    answer.close();
    if (status === 429 || status >= 500) {
      const what = status === 429 ? 'too many requests' : 'trouble of its own';
      throw new Unreachable(`${answer.url.host} reports ${status}, ${what}`, secondsOf(answer.header('retry-after')));
    }
    const words = answer.header('x-error-message');
    const reason = reasonOf(status, answer.header('x-error-code'), words);
    throw new Refused(reason, status, answer.header('x-repo-commit'), words);
  }

  async *#reading({ url, body }: OpenAnswer): AsyncIterable<Uint8Array> {
    try {
      yield* body;
    } catch (error) {
      this.#explain(url, error);
    }
  }

  #explain(url: URL, error: unknown): never {
    this.#settings.signal?.throwIfAborted();
    const proxy = proxyFor(url, this.#settings.proxies, this.#settings.environment);
    const way = proxy ? ` through the proxy ${proxy.host}` : '';
    const what = `${url.host} cannot be reached${way}: ${describeNetworkError(error)}`;
    if (isConfigurationError(error)) {
      const code = networkErrorCode(error);
      const remedy = code?.startsWith('UND_ERR')
        ? 'Check the proxy and its password (option proxies, or HTTPS_PROXY).'
        : 'Check the certificate, or name your own authority in NODE_EXTRA_CA_CERTS.';
      fail('hub', `${what}. ${remedy}`, error);
    }
    throw new Unreachable(what, undefined, { cause: error });
  }

  #dispatcher(url: URL): Dispatcher {
    const { proxies, environment, answerTimeout } = this.#settings;
    const proxy = proxyFor(url, proxies, environment);
    const key = proxy?.href ?? '';
    const known = this.#dispatchers.get(key);
    if (known) return known;
    const made = dispatcherFor(proxy, answerTimeout);
    this.#dispatchers.set(key, made);
    return made;
  }
}

export interface Retries {
  /** Asked after each attempt. */
  readonly attempts?: () => number;
  readonly signal?: AbortSignal | undefined;
  readonly warn?: ((message: string) => void) | undefined;
  /** Whether the last attempt got further, so that patience starts anew. */
  readonly progressed?: () => boolean;
}

/** Repeats what failed for want of an answer, after longer and longer waits or the one the server asks for. */
export async function withRetries<T>(work: () => Promise<T>, retries: Retries): Promise<T> {
  const { attempts = () => ATTEMPTS, signal, warn, progressed } = retries;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      if (progressed?.()) attempt = 1;
      const { retryAfter = 0 } = error;
      if (attempt >= attempts() || retryAfter > MOST_PATIENCE_SECONDS) throw error;
      const wait = retryAfter * 1000 || Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1));
      if (wait >= LONGEST_WAIT_MS) warn?.(`${error.message}; the next attempt is in ${wait / 1000} s.`);
      await sleep(wait, undefined, { signal }).catch(() => signal?.throwIfAborted());
    }
  }
}

/** Retry-After: seconds, or a date. */
function secondsOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const seconds = /^\d+(\.\d+)?$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

/** An address in a message: without the query, which may be signed, and without a password. */
export function showUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
