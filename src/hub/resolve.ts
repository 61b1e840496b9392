import { fail, refuseUnknown } from '../errors.js';
import { checkRepoId, localDirectory } from './repo-id.js';
import { type HubOptions, resolveSettings } from './settings.js';

const optionTypes: Readonly<Record<keyof HubOptions, readonly string[]>> = {
  cacheDir: ['string'],
  revision: ['string'],
  token: ['string', 'boolean'],
  forceDownload: ['boolean'],
  resumeDownload: ['boolean'],
  localFilesOnly: ['boolean'],
  proxies: ['object'],
  endpoint: ['string'],
  silent: ['boolean'],
  onProgress: ['function'],
  signal: ['object'],
};

/**
 * The directory of a model by any name a user has for it: a directory, as it is; or the id of a repository on the hub, whose
 * files are downloaded into the cache that Python shares, those that are needed and not there yet.
 */
export async function resolveModel(name: string, options: HubOptions = {}): Promise<string> {
  checkOptions(options);
  if (typeof name !== 'string') fail('model', `its name is a text, not ${String(name)}.`);
  const directory = localDirectory(name);
  if (directory !== undefined) return directory;
  checkRepoId(name);
  const settings = resolveSettings(options);
  // What speaks HTTP takes a tenth of a second to load, which directories do not wait for.
  const { fetchSnapshot } = await import('./snapshot.js');
  return fetchSnapshot(name, settings);
}

function checkOptions(options: HubOptions): void {
  refuseUnknown('hub', options, Object.keys(optionTypes));
  for (const [name, value] of Object.entries(options)) {
    const types = optionTypes[name as keyof HubOptions];
    if (value === undefined || (types.includes(typeof value) && value !== null)) continue;
    // The value may be a secret in the wrong place.
    fail('hub', `${name} is of type ${value === null ? 'null' : typeof value}. Give a ${types.join(' or ')}.`);
  }
}
