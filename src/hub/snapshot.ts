import { readFile } from 'node:fs/promises';
import { isCommit, RepositoryCache } from './cache.js';
import { HubClient } from './client.js';
import { explainFailure, failIncomplete, failOffline, mayUseCache } from './explain.js';
import { Moved, Refused } from './failures.js';
import { type FileSource, hasVocabulary, isWeightsFile, type NeededFiles, neededFiles } from './needed-files.js';
import { RemoteRepository } from './remote.js';
import type { HubSettings } from './settings.js';

/** So many files are fetched at a time; weights, which fill any line, one after the other. */
const AT_A_TIME = 4;
/** A branch may move while it is downloaded; one that always does is given up. */
const MOST_MOVES = 3;

/** The directory of a repository's files at a revision: what a model needs of them, downloaded or from the cache. */
export async function fetchSnapshot(id: string, settings: HubSettings): Promise<string> {
  const { revision, offline, forceDownload, signal, warn } = settings;
  const cache = new RepositoryCache(settings.cacheDir, id);
  const commit = cache.commitOf(revision);
  const cached = commit === undefined ? undefined : await cachedFiles(cache, commit);
  const usable = commit !== undefined && cached?.missing === undefined ? cache.snapshot(commit) : undefined;
  if (offline) return usable ?? failOffline(id, settings, cached?.missing);
  // A commit stays what it is: there is nothing to ask.
  if (usable && cached && isCommit(revision) && hasVocabulary(cached) && !forceDownload) return usable;

  const client = new HubClient(settings);
  try {
    return cache.snapshot(await download(id, cache, client, settings, usable !== undefined));
  } catch (error) {
    signal?.throwIfAborted();
    if (!usable || forceDownload || !mayUseCache(error)) return explainFailure(error, id, settings);
    warn(`${error.message}. Going on with what was downloaded before: commit ${commit?.slice(0, 12)} of ${id}.`);
    return usable;
  } finally {
    client.close();
  }
}

/** Downloads what is not there yet, and tells the commit it is of. */
async function download(
  id: string,
  cache: RepositoryCache,
  client: HubClient,
  settings: HubSettings,
  isReplaceable: boolean,
): Promise<string> {
  for (let moves = 0; ; moves++) {
    const remote = new RemoteRepository(id, cache, client, settings, isReplaceable);
    try {
      // A listing that contradicts the files is not asked for again.
      if (moves === 0) await remote.list();
      const { companions, weights, missing } = await filesToFetch(remote, cache, settings);
      const { commit } = remote;
      if (commit === undefined) throw new Refused('repository', 404, undefined, undefined);
      if (missing !== undefined) return failIncomplete(id, settings, missing, remote.listed);
      await inParallel(companions, (file) => remote.fetch(file));
      for (const file of weights) await remote.fetch(file);
      await cache.rememberCommit(settings.revision, commit);
      return commit;
    } catch (error) {
      if (!(error instanceof Moved) || moves === MOST_MOVES) throw error;
    }
  }
}

/** What is needed of a repository; weights that the cache has in one form are not fetched in a better one. */
async function filesToFetch(
  remote: RemoteRepository,
  cache: RepositoryCache,
  { forceDownload }: HubSettings,
): Promise<NeededFiles> {
  let held: ReadonlySet<string> | undefined;
  return neededFiles({
    read: (file) => remote.read(file),
    has: async (file) => {
      if (isWeightsFile(file) && !forceDownload && remote.commit !== undefined) {
        held ??= new Set(await heldWeights(cache, remote.commit));
        if (held.size > 0) return held.has(file);
      }
      return remote.has(file);
    },
  });
}

async function heldWeights(cache: RepositoryCache, commit: string): Promise<readonly string[]> {
  const { weights, missing } = await cachedFiles(cache, commit);
  return missing === undefined ? weights : [];
}

/** What the cache has of a model; `missing` also when it lacks a file that an index names. */
async function cachedFiles(cache: RepositoryCache, commit: string): Promise<NeededFiles> {
  const source: FileSource = {
    has: async (file) => cache.has(commit, file),
    read: (file) => readFile(cache.file(commit, file), 'utf8'),
  };
  const found = await neededFiles(source);
  const lacking = found.weights.find((file) => !cache.has(commit, file));
  return { ...found, missing: found.missing ?? lacking };
}

/** Runs the work for all items, some at a time; the first failure stops those that have not begun. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  let failed = false;
  const worker = async () => {
    for (const item of queue) {
      if (failed) return;
      await work(item).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: AT_A_TIME }, worker));
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure) throw failure.reason;
}
