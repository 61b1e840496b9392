import path from 'node:path';
import { fail, Seq2SeqError } from '../errors.js';
import { similarCachedId } from './cache.js';
import { Moved, NotAHub, type Reason, Refused, Unreachable } from './failures.js';
import { similarDirectory } from './repo-id.js';
import type { HubSettings } from './settings.js';

/** Whether a failure leaves it open that what was downloaded before is still right. */
export function mayUseCache(error: unknown): error is Error {
  if (error instanceof Refused) return error.reason !== 'revision' && error.reason !== 'entry';
  return error instanceof Unreachable || error instanceof NotAHub;
}

/** Says what a failure means for the one who asked for the repository, and what to do. */
export function explainFailure(error: unknown, id: string, settings: HubSettings): never {
  if (error instanceof Seq2SeqError) throw error;
  if (error instanceof Refused) return failRefused(error, id, settings);
  if (error instanceof Unreachable) {
    return fail('hub', `${error.message}. ${id} ${notCached(id, settings)} Check the network and try again.`, error);
  }
  if (error instanceof NotAHub) {
    return fail(
      'hub',
      `${error.message}. Check HF_ENDPOINT, and whether a firewall or a login page stands between.`,
      error,
    );
  }
  if (error instanceof Moved) {
    return fail('hub', `${id}: ${error.message}, again and again. Name a commit as revision, or try later.`, error);
  }
  throw error;
}

export function failOffline(id: string, settings: HubSettings, missing: string | undefined): never {
  const { offline, cacheDir, revision } = settings;
  const lacks = missing === undefined ? '' : ` in full (${missing} is missing)`;
  return fail(
    'hub',
    `${offline}, and ${id} at ${revision} is not in ${cacheDir}${lacks}, nor is there a directory of that name ` +
      `(looked at ${path.resolve(id)}). ${suggestion(id, settings)}Allow the network once, or choose the cache with cacheDir.`,
  );
}

/** The repository has no model that can be loaded. */
export function failIncomplete(
  id: string,
  settings: HubSettings,
  missing: string,
  listed: ReadonlySet<string> | undefined,
): never {
  const others = [...(listed ?? [])].filter((file) => /\.(h5|msgpack|ot|onnx|gguf|ckpt|pt)$/.test(file));
  const has = others.length > 0 ? ` It has ${others.slice(0, 5).join(', ')}, which cannot be read.` : '';
  return fail(
    'hub',
    `${id} at ${settings.revision} on ${settings.endpoint.host} has no ${missing}.${has} ` +
      'Choose a repository with a model in the format of Transformers.',
  );
}

function notCached(id: string, { revision, cacheDir, forceDownload }: HubSettings): string {
  if (forceDownload) return 'was to be downloaded again, whatever the cache has.';
  return `at ${revision} is not in ${cacheDir} in full, nor is there a directory of that name (looked at ${path.resolve(id)}).`;
}

type Meaning = (id: string, settings: HubSettings, refused: Refused) => string;

const tokenAdvice = ({ token }: HubSettings) =>
  token === undefined
    ? 'give a token that may read it (option token, or HF_TOKEN); none was sent'
    : 'give another token (option token, or HF_TOKEN); the one that was sent may not read it';

const meanings: Readonly<Record<Reason, Meaning>> = {
  repository: (id, settings) =>
    `there is no directory ${JSON.stringify(id)} (looked at ${path.resolve(id)}), and ${settings.endpoint.host} has no ` +
    `repository of that name, or it is private. ${suggestion(id, settings)}Check the spelling, or ${tokenAdvice(settings)}.`,
  gated: (id, settings) =>
    `${id} is gated: its owner lets those read it who accept conditions. Accept them on ` +
    `${settings.endpoint.origin}/${id}, and ${tokenAdvice(settings)}.`,
  revision: (id, { revision }) =>
    `${id} has no branch, tag or commit ${JSON.stringify(revision)}. Check the revision, or leave it out for main.`,
  entry: (id, { revision }) => `${id} at ${revision} lacks a file that its listing or its index names. Tell its owner.`,
  token: (id, settings) =>
    `the token is not valid, so that ${id} cannot be read. Log in again, or ${tokenAdvice(settings)}.`,
  disabled: (id, { endpoint }) => `access to ${id} is disabled on ${endpoint.host}. Choose another repository.`,
  forbidden: (id, settings, { words }) =>
    `${settings.endpoint.host} does not let ${id} be read${words ? ` (${words})` : ''}. To mend it, ${tokenAdvice(settings)}.`,
  other: (id, { endpoint }, { status, words }) =>
    `${endpoint.host} answers ${status}${words ? ` (${words})` : ''} when asked for ${id}. Check the name and HF_ENDPOINT.`,
};

function failRefused(error: Refused, id: string, settings: HubSettings): never {
  return fail('hub', meanings[error.reason](id, settings, error), error);
}

/** A directory or a repository in the cache that may have been meant. */
function suggestion(id: string, { cacheDir }: HubSettings): string {
  const directory = similarDirectory(id);
  if (directory !== undefined) return `Did you mean the directory ${JSON.stringify(directory)}? `;
  const cached = similarCachedId(cacheDir, id);
  return cached === undefined ? '' : `Did you mean ${cached}, which is in the cache? `;
}
