import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest';
import { type HubOptions, resolveModel } from '../../src/hub/index.js';
import { temporaryFolder } from '../support.js';
import { type Fault, HubServer, tinyRepository } from './server.js';

export const ID = 'org/tiny';
/** Variables that the machine of the tests may have set. */
const variables = [
  ...['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'HF_TOKEN_PATH', 'HF_ENDPOINT', 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE'],
  ...['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE', 'HF_HUB_DISABLE_IMPLICIT_TOKEN', 'HF_HUB_ETAG_TIMEOUT'],
  ...['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'].flatMap((name) => [name, name.toUpperCase()]),
];

/** Each test begins with a server that has one repository, an empty cache and a clean environment. */
export function hubForEachTest() {
  const folder = temporaryFolder();
  let server: HubServer;
  let cacheDir = '';
  let count = 0;

  beforeAll(async () => {
    server = await HubServer.start();
  });
  afterAll(() => server.stop());
  beforeEach(() => {
    cacheDir = path.join(folder, `cache-${++count}`);
    server.reset();
    server.repositories.set(ID, tinyRepository());
    for (const name of variables) vi.stubEnv(name, '');
    vi.stubEnv('HF_HOME', path.join(folder, 'home'));
  });
  afterEach(() => vi.unstubAllEnvs());

  return {
    folder,
    get server() {
      return server;
    },
    get cacheDir() {
      return cacheDir;
    },
    fetchModel: (options: HubOptions = {}, id = ID) =>
      resolveModel(id, { cacheDir, endpoint: server.url, silent: true, ...options }),
    /** A place in the repository's folder in the cache. */
    repository: (...parts: string[]) => path.join(cacheDir, 'models--org--tiny', ...parts),
    fault: (on: RegExp, what: Partial<Fault>) => server.faults.push({ on, times: 1, ...what }),
  };
}
