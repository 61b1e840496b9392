import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { resolveModel } from '../../src/hub/index.js';
import { tinyRepository } from './server.js';
import { hubForEachTest, ID } from './setup.js';

const TOKEN = 'hf_secret';
const hub = hubForEachTest();
const { fetchModel, fault } = hub;

/** The message of a failure, and that it does not give the token away. */
async function failure(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => expect.unreachable('it succeeded'),
    (reason: Error) => reason,
  );
  let text = '';
  for (let each: unknown = error; each instanceof Error; each = each.cause) text += `${each.message}${each.stack}`;
  expect(text).not.toContain(TOKEN);
  return error.message;
}

function authorizations(): Set<string> {
  return new Set(hub.server.seen.map(({ host, authorization }) => `${host} ${authorization}`));
}

describe('the token', () => {
  it('is sent to the hub and to no other host', async () => {
    hub.server.repositories.set(ID, { ...tinyRepository(), token: TOKEN });
    await fetchModel({ token: TOKEN });
    expect(authorizations()).toEqual(new Set([`hub Bearer ${TOKEN}`, 'cdn undefined']));
  });

  it('is not sent along when the hub redirects what it sent before', async () => {
    hub.server.repositories.set(ID, { ...tinyRepository(), token: TOKEN });
    fault(/GET hub .*config.json/, { status: 302, headers: { location: `${hub.server.cdnUrl}/lfs/elsewhere` } });
    await failure(fetchModel({ token: TOKEN }));
    expect(authorizations()).toEqual(new Set([`hub Bearer ${TOKEN}`, 'cdn undefined']));
  });

  it.each(['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN'])('comes from %s, unless none is to be sent', async (name) => {
    vi.stubEnv(name, ` ${TOKEN}\n`);
    await fetchModel();
    expect(authorizations()).toContain(`hub Bearer ${TOKEN}`);
    hub.server.seen.length = 0;
    await fetchModel({ token: false });
    vi.stubEnv('HF_HUB_DISABLE_IMPLICIT_TOKEN', '1');
    await fetchModel();
    expect(authorizations()).toEqual(new Set(['hub undefined']));
    await fetchModel({ token: true });
    expect(authorizations()).toContain(`hub Bearer ${TOKEN}`);
  });

  it('comes from the file of a login', async () => {
    const place = path.join(hub.folder, 'home', 'token');
    fs.mkdirSync(path.dirname(place), { recursive: true });
    fs.writeFileSync(place, `${TOKEN}\n`);
    await fetchModel();
    expect(authorizations()).toContain(`hub Bearer ${TOKEN}`);
    vi.stubEnv('HF_TOKEN_PATH', path.join(hub.folder, 'none'));
    expect(await failure(fetchModel({ token: true }))).toMatch(/hub: token is true, but none is stored/);
    fs.rmSync(place);
  });

  it('is refused in words when it cannot be one', async () => {
    expect(await failure(fetchModel({ token: `${TOKEN} ${TOKEN}` }))).toMatch(
      /hub: the token has characters that none has/,
    );
  });
});

describe('a refusal', () => {
  it('of a repository that is not there, or private: what was tried and what to do', async () => {
    await fetchModel();
    expect(await failure(fetchModel({}, 'org/tinyy'))).toBe(
      `hub: there is no directory "org/tinyy" (looked at ${path.resolve('org/tinyy')}), and ` +
        `${new URL(hub.server.url).host} has no repository of that name, or it is private. Did you mean org/tiny, which is ` +
        'in the cache? Check the spelling, or give a token that may read it (option token, or HF_TOKEN); none was sent.',
    );
    hub.server.repositories.set('org/private', { ...tinyRepository(), token: 'other' });
    expect(await failure(fetchModel({ token: TOKEN }, 'org/private'))).toMatch(/the one that was sent may not read it/);
  });

  it('of a gated repository', async () => {
    hub.server.repositories.set(ID, { ...tinyRepository(), token: TOKEN, gated: true });
    expect(await failure(fetchModel())).toMatch(
      /hub: org\/tiny is gated: .* Accept them on http.*\/org\/tiny, and give a token/,
    );
    await fetchModel({ token: TOKEN });
  });

  it('of a revision', async () => {
    expect(await failure(fetchModel({ revision: 'mian' }))).toMatch(
      /hub: org\/tiny has no branch, tag or commit "mian"/,
    );
  });

  it('of a repository without a model', async () => {
    hub.server.repositories.set(ID, {
      ...tinyRepository(),
      files: { 'config.json': '{}', 'tf_model.h5': 'h5' },
      large: [],
    });
    expect(await failure(fetchModel())).toMatch(
      /has no weights \(model\.safetensors, .*It has tf_model\.h5, which cannot be read/,
    );
    hub.server.repositories.set(ID, { ...tinyRepository(), files: { 'README.md': '' }, large: [] });
    expect(await failure(fetchModel())).toMatch(/has no config\.json/);
    hub.server.hasListing = false;
    expect(await failure(fetchModel())).toMatch(/has no config\.json/);
  });

  it.each([
    [401, { 'x-error-message': 'Invalid credentials in Authorization header' }, /the token is not valid/],
    [403, { 'x-error-message': 'Access to this resource is disabled.' }, /access to org\/tiny is disabled/],
    [403, { 'x-error-message': 'No storage permissions' }, /does not let org\/tiny be read \(No storage permissions\)/],
    [404, {}, /has no repository of that name/],
    [400, {}, /answers 400 when asked for org\/tiny/],
  ])('with %d %j', async (status, headers, message) => {
    fault(/./, { status, headers, times: 1000 });
    expect(await failure(fetchModel({ token: TOKEN }))).toMatch(message);
  });

  it('leaves what was downloaded before', async () => {
    const place = await fetchModel();
    hub.server.repositories.set(ID, { ...tinyRepository(), token: 'other' });
    expect(await fetchModel()).toBe(place);
  });
});

describe('a proxy', () => {
  const proxies: http.Server[] = [];
  afterEach(() => Promise.all(proxies.splice(0).map((proxy) => new Promise((done) => proxy.close(done)))));

  /** Forwards requests for whole addresses, and refuses tunnels. */
  async function startProxy(password?: string): Promise<{ address: string; asked: string[] }> {
    const asked: string[] = [];
    const proxy = http.createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      const given = request.headers['proxy-authorization'];
      if (password !== undefined && given !== `Basic ${Buffer.from(`me:${password}`).toString('base64')}`) {
        response.writeHead(407).end();
        return;
      }
      const { method, headers } = request;
      http.get(request.url!, { method, headers, agent: false }, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      });
    });
    proxy.on('connect', (request, socket) => {
      asked.push(`CONNECT ${request.url}`);
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    proxies.push(proxy);
    return { address: `127.0.0.1:${(proxy.address() as AddressInfo).port}`, asked };
  }

  it.each(['option', 'HTTP_PROXY', 'all_proxy'])('by %s is asked instead of the hub', async (way) => {
    const { address, asked } = await startProxy();
    if (way !== 'option') vi.stubEnv(way, address);
    await fetchModel(way === 'option' ? { proxies: { http: `http://${address}` } } : {});
    expect(asked[0]).toBe(`GET ${hub.server.url}/api/models/org/tiny/revision/main`);
    expect(asked).toHaveLength(hub.server.seen.length);
    vi.stubEnv('NO_PROXY', '127.0.0.1');
    asked.length = 0;
    await fetchModel({ forceDownload: true });
    expect(asked).toEqual([]);
  });

  it('gets its password, which nobody else sees', async () => {
    const { address, asked } = await startProxy('pass');
    await fetchModel({ proxies: { http: `http://me:pass@${address}` } });
    expect(asked.length).toBeGreaterThan(0);
    const message = await failure(fetchModel({ proxies: { http: `http://me:wrong@${address}` }, forceDownload: true }));
    expect(message).toMatch(/through the proxy 127.0.0.1:\d+.*Check the proxy and its password/);
    expect(message).not.toContain('wrong');
  });

  it('that refuses a tunnel fails in words, without a second attempt', async () => {
    const { address, asked } = await startProxy();
    const options = { endpoint: 'https://hub.invalid', proxies: { https: address } };
    expect(await failure(fetchModel(options))).toMatch(/hub.invalid cannot be reached through the proxy .*407/);
    expect(asked).toEqual(['CONNECT hub.invalid:443']);
  });

  it('of a kind that is not known', async () => {
    expect(await failure(fetchModel({ proxies: { http: 'socks5://me:pass@host:1' } }))).toBe(
      'hub: proxies.http is no address of an http or https proxy. Set one such as http://proxy.example:3128.',
    );
  });
});

describe('a name', () => {
  it('that is a directory stays as it is', async () => {
    expect(await resolveModel('tests')).toBe('tests');
    expect(await resolveModel(hub.folder)).toBe(hub.folder);
    await expect(resolveModel('package.json')).rejects.toThrow('model: package.json is a file.');
    expect(hub.server.seen).toEqual([]);
  });

  it.each([
    ['', 'it is empty'],
    ['./none-such', 'it is written like a path'],
    ['~/nowhere-at-all', 'it is written like a path'],
    ['outputs/best_model/x', 'at most one "/"'],
    ['none-such/', 'letters, digits'],
    ['mödel', 'letters, digits'],
    ['org/-name', 'starts or ends with'],
    ['org/name.', 'starts or ends with'],
    ['org/a--b', 'no "--"'],
    [`org/${'x'.repeat(97)}`, 'at most 96'],
    ['name.git', 'does not end with ".git"'],
    ['a\0b', 'letters, digits'],
  ])('%j is refused without asking', async (name, reason) => {
    expect(await failure(fetchModel({}, name))).toMatch(/^model: there is no directory .* nor can this be the id/);
    expect(await failure(fetchModel({}, name))).toContain(reason);
    expect(hub.server.seen).toEqual([]);
  });

  it('that is almost a directory', async () => {
    expect(await failure(fetchModel({}, './tets'))).toContain('Did you mean "tests"?');
  });

  it('comes with settings that are known', async () => {
    await expect(resolveModel('x', { cacheDirectory: 'y' } as object)).rejects.toThrow('there is no "cacheDirectory"');
    await expect(resolveModel('x', { token: 5 } as object)).rejects.toThrow('hub: token is of type number.');
    await expect(resolveModel('x', { endpoint: 'ftp://x' })).rejects.toThrow(
      'the endpoint is no http or https address',
    );
  });
});
