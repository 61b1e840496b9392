import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fail } from '../errors.js';
import { expandHome } from './repo-id.js';

/** How a model is fetched from the hub. What is left out comes from the variables that Python's client reads. */
export interface HubOptions {
  /** Where downloads are kept, shared with Python. Default: HF_HUB_CACHE, or `hub` in HF_HOME, or ~/.cache/huggingface/hub. */
  readonly cacheDir?: string | undefined;
  /** A branch, a tag or a commit; `main` if not given. */
  readonly revision?: string | undefined;
  /** Of private and gated repositories. true: there must be one in the environment or stored by a login; false: none is sent. */
  readonly token?: string | boolean | undefined;
  /** Downloads again what is there. */
  readonly forceDownload?: boolean | undefined;
  /** false: a download that was cut starts from the beginning. */
  readonly resumeDownload?: boolean | undefined;
  /** Uses what was downloaded before, and no network. */
  readonly localFilesOnly?: boolean | undefined;
  /** `{ http, https }`, each the address of a proxy; keys may also name a host: `https://huggingface.co`. */
  readonly proxies?: Readonly<Record<string, string>> | undefined;
  /** Another server that speaks the hub's protocol. Default: HF_ENDPOINT, or https://huggingface.co. */
  readonly endpoint?: string | undefined;
  /** No progress bars and no warnings. */
  readonly silent?: boolean | undefined;
  readonly onProgress?: ((progress: HubProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How far the download of one file is, in bytes. */
export interface HubProgress {
  readonly file: string;
  readonly done: number;
  readonly total: number;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Options over environment over defaults: what all of a fetch goes by. */
export interface HubSettings {
  readonly cacheDir: string;
  readonly revision: string;
  readonly endpoint: URL;
  readonly token: string | undefined;
  readonly forceDownload: boolean;
  readonly resumeDownload: boolean;
  /** Why there is to be no network, in words; undefined when there is one. */
  readonly offline: string | undefined;
  /** Milliseconds until an answer must have begun. */
  readonly answerTimeout: number;
  /** Milliseconds without a byte after which a download counts as cut. */
  readonly downloadTimeout: number;
  readonly proxies: Readonly<Record<string, string>>;
  readonly environment: Environment;
  readonly showProgress: boolean;
  readonly warn: (message: string) => void;
  readonly onProgress: ((progress: HubProgress) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

const DEFAULT_ENDPOINT = 'https://huggingface.co';
const DEFAULT_REVISION = 'main';
const DEFAULT_TIMEOUT_SECONDS = 10;

export function resolveSettings(options: HubOptions, environment: Environment = process.env): HubSettings {
  const revision = options.revision ?? DEFAULT_REVISION;
  checkRevision(revision);
  const silent = options.silent ?? false;
  const offline = reasonForOffline(options, environment);
  const forceDownload = options.forceDownload ?? false;
  if (offline && forceDownload) {
    fail('hub', `forceDownload asks for a download, but ${offline}. Set one of the two.`);
  }
  return {
    cacheDir: cacheDirectory(options.cacheDir, environment),
    revision,
    endpoint: endpointOf(options.endpoint ?? (environment.HF_ENDPOINT || DEFAULT_ENDPOINT)),
    token: offline ? undefined : tokenOf(options.token, environment),
    forceDownload,
    resumeDownload: options.resumeDownload ?? true,
    offline,
    answerTimeout: milliseconds('HF_HUB_ETAG_TIMEOUT', environment),
    downloadTimeout: milliseconds('HF_HUB_DOWNLOAD_TIMEOUT', environment),
    proxies: options.proxies ?? {},
    environment,
    showProgress: !silent && !isTrue(environment.HF_HUB_DISABLE_PROGRESS_BARS) && process.stderr.isTTY === true,
    warn: silent ? () => {} : (message) => void process.stderr.write(`hub: ${message}\n`),
    onProgress: options.onProgress,
    signal: options.signal,
  };
}

function checkRevision(revision: string): void {
  const parts = typeof revision === 'string' ? revision.split('/') : [];
  // It becomes a path below refs/, which it must not leave.
  const usable = parts.length > 0 && parts.every((part) => part !== '' && part !== '.' && part !== '..');
  if (!usable || /[\s\\:*?"<>|~^]/.test(revision) || [...revision].some((character) => character < ' ')) {
    fail('hub', `${JSON.stringify(revision)} is no revision. Give a branch, a tag or a commit of the repository.`);
  }
}

function cacheDirectory(given: string | undefined, environment: Environment): string {
  const chosen =
    given ||
    environment.HF_HUB_CACHE ||
    environment.HUGGINGFACE_HUB_CACHE ||
    path.join(homeDirectory(environment), 'hub');
  return path.resolve(expand(chosen, environment));
}

/** The folder of everything that Hugging Face's tools keep: the cache and the token. */
function homeDirectory(environment: Environment): string {
  const base = environment.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
  return expand(environment.HF_HOME || path.join(base, 'huggingface'), environment);
}

/** `~`, `$NAME` and `${NAME}`, as Python's client expands them in these variables. */
function expand(place: string, environment: Environment): string {
  return expandHome(place).replace(/\$(?:(\w+)|\{(\w+)\})/g, (whole, plain: string, braced: string) => {
    return environment[plain ?? braced] ?? whole;
  });
}

function endpointOf(text: string): URL {
  const endpoint = URL.canParse(text) ? new URL(text) : undefined;
  if (!endpoint || !/^https?:$/.test(endpoint.protocol)) {
    return fail('hub', 'the endpoint is no http or https address. Set it to one such as https://huggingface.co.');
  }
  endpoint.pathname = endpoint.pathname.replace(/\/+$/, '');
  return endpoint;
}

function reasonForOffline(options: HubOptions, environment: Environment): string | undefined {
  if (options.localFilesOnly) return 'localFilesOnly is set';
  const name = environment.HF_HUB_OFFLINE ? 'HF_HUB_OFFLINE' : 'TRANSFORMERS_OFFLINE';
  return isTrue(environment[name]) ? `${name} is set` : undefined;
}

/** The token to send. It comes into no message. */
function tokenOf(given: string | boolean | undefined, environment: Environment): string | undefined {
  if (given === false) return undefined;
  const token =
    typeof given === 'string'
      ? given.trim() || undefined
      : given === undefined && isTrue(environment.HF_HUB_DISABLE_IMPLICIT_TOKEN)
        ? undefined
        : storedToken(environment);
  if (token === undefined && given === true) {
    fail(
      'hub',
      'token is true, but none is stored. Set HF_TOKEN, log in with "hf auth login", or give the token itself.',
    );
  }
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    fail('hub', 'the token has characters that none has (spaces, or beyond ASCII). Copy it again from your settings.');
  }
  return token;
}

function storedToken(environment: Environment): string | undefined {
  const fromVariable = clean(environment.HF_TOKEN || environment.HUGGING_FACE_HUB_TOKEN);
  if (fromVariable !== undefined) return fromVariable;
  const place = environment.HF_TOKEN_PATH
    ? expand(environment.HF_TOKEN_PATH, environment)
    : path.join(homeDirectory(environment), 'token');
  try {
    return clean(fs.readFileSync(place, 'utf8'));
  } catch {
    // No login, or one of another user's.
    return undefined;
  }
}

function clean(token: string | undefined): string | undefined {
  return token?.replace(/[\r\n]/g, '').trim() || undefined;
}

function milliseconds(name: string, environment: Environment): number {
  const text = environment[name];
  const seconds = text ? Number(text) : DEFAULT_TIMEOUT_SECONDS;
  if (!(seconds > 0)) fail('hub', `${name} is ${JSON.stringify(text)}. Set it to a number of seconds above 0.`);
  return seconds * 1000;
}

function isTrue(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? '');
}
