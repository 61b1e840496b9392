import fs, { type StatsFs } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { HubProgress } from '../../src/hub/index.js';
import { COMMIT, gitSha1, sha256, tinyRepository } from './server.js';
import { hubForEachTest, ID } from './setup.js';

const WEIGHTS = Buffer.from(tinyRepository().files['model.safetensors']!);
const hub = hubForEachTest();
const { fetchModel, repository, fault } = hub;
const blob = (content: Buffer) => repository('blobs', sha256(content));
const ranges = () =>
  hub.server.seen.filter(({ host, method }) => host === 'cdn' && method === 'GET').map(({ range }) => range);

describe('a download', () => {
  it('lays the files that are needed out as Python does', async () => {
    const place = await fetchModel();
    expect(place).toBe(repository('snapshots', COMMIT));
    expect(fs.readdirSync(place).sort()).toEqual([
      'config.json',
      'generation_config.json',
      'merges.txt',
      'model.safetensors',
      'tokenizer.json',
      'vocab.json',
    ]);
    expect(sha256(fs.readFileSync(path.join(place, 'model.safetensors')))).toBe(sha256(WEIGHTS));
    expect(fs.readlinkSync(path.join(place, 'model.safetensors'))).toBe(`../../blobs/${sha256(WEIGHTS)}`);
    const config = Buffer.from('{"model_type": "bart"}');
    expect(fs.readlinkSync(path.join(place, 'config.json'))).toBe(`../../blobs/${gitSha1(config)}`);
    expect(fs.readFileSync(repository('refs', 'main'), 'utf8')).toBe(COMMIT);
    expect(fs.readdirSync(path.join(hub.cacheDir, '.locks', 'models--org--tiny'))).toContain(`${sha256(WEIGHTS)}.lock`);
    expect(fs.existsSync(repository('.no_exist', COMMIT, 'added_tokens.json'))).toBe(true);
    expect(fs.readdirSync(repository('blobs'))).toHaveLength(6);
  });

  it('is not done again: one request tells that nothing has changed, none does where a commit is named', async () => {
    await fetchModel();
    hub.server.seen.length = 0;
    await fetchModel();
    expect(hub.server.seen).toHaveLength(1);
    await fetchModel({ revision: COMMIT });
    await fetchModel({ localFilesOnly: true });
    expect(hub.server.seen).toHaveLength(1);
  });

  it('does without a listing, and asks for what is not there only once', async () => {
    hub.server.hasListing = false;
    await fetchModel();
    expect(hub.server.asked('GET').filter((each) => each.includes('cdn'))).toHaveLength(1);
    hub.server.seen.length = 0;
    await fetchModel();
    expect(hub.server.asked()).toEqual([`GET hub /api/models/${ID}/revision/main`, 'HEAD hub config.json']);
  });

  it('takes what is new of a branch that moved, and keeps the blobs it has', async () => {
    await fetchModel();
    const commit = 'f'.repeat(40);
    const files = { ...tinyRepository().files, 'config.json': '{"model_type": "bart", "changed": true}' };
    hub.server.repositories.set(ID, { ...tinyRepository(), commit, files });
    hub.server.seen.length = 0;
    expect(await fetchModel()).toBe(repository('snapshots', commit));
    expect(hub.server.asked('GET')).toEqual([`GET hub /api/models/${ID}/revision/main`, 'GET hub config.json']);
    expect(fs.readFileSync(repository('refs', 'main'), 'utf8')).toBe(commit);
  });

  it('starts anew when the branch moves under it', async () => {
    const commit = 'e'.repeat(40);
    const moved = { ...tinyRepository(), commit };
    // The listing is of the old commit, the files are of the new one.
    hub.server.onRequest = ({ method }) => method === 'HEAD' && hub.server.repositories.set(ID, moved);
    const place = await fetchModel();
    expect(path.basename(place)).toBe(commit);
    expect(fs.readdirSync(place)).toHaveLength(6);
    expect(fs.readFileSync(repository('refs', 'main'), 'utf8')).toBe(commit);
  });

  it('follows a renamed repository', async () => {
    hub.server.renamed.set('org/old', ID);
    const place = await fetchModel({}, 'org/old');
    expect(place).toBe(path.join(hub.cacheDir, 'models--org--old', 'snapshots', COMMIT));
    expect(fs.readdirSync(place)).toHaveLength(6);
  });

  it('takes shards with their index, pickled weights where there are no others, and two folders', async () => {
    const { files } = tinyRepository();
    const index = JSON.stringify({ weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors' } });
    const base = { 'config.json': '{}', 'vocab.txt': '[PAD]' };
    const cases = {
      sharded: {
        ...base,
        'model.safetensors.index.json': index,
        'model-1.safetensors': 'a',
        'model-2.safetensors': 'b',
      },
      pickled: { ...base, 'pytorch_model.bin': 'pickle', 'tf_model.h5': 'no' },
      halves: Object.fromEntries(
        ['encoder', 'decoder'].flatMap((half) =>
          Object.entries({ ...base, 'model.safetensors': half, 'pytorch_model.bin': 'no' }).map(([name, text]) => [
            `${half}/${name}`,
            text,
          ]),
        ),
      ),
      bpe: { ...files, 'source.bpe': '#version: 0.1' },
    };
    const found: Record<string, string[]> = {};
    for (const hasListing of [true, false]) {
      hub.server.hasListing = hasListing;
      fs.rmSync(hub.cacheDir, { recursive: true, force: true });
      for (const [name, each] of Object.entries(cases)) {
        hub.server.repositories.set(`org/${name}`, { commit: COMMIT, files: each });
        const place = await fetchModel({}, `org/${name}`);
        const names = fs.readdirSync(place, { recursive: true, encoding: 'utf8' }).sort();
        expect(found[name] ?? names).toEqual(names);
        found[name] = names;
      }
    }
    expect(found).toEqual({
      sharded: [
        'config.json',
        'model-1.safetensors',
        'model-2.safetensors',
        'model.safetensors.index.json',
        'vocab.txt',
      ],
      pickled: ['config.json', 'pytorch_model.bin', 'vocab.txt'],
      halves: ['decoder', 'encoder'].flatMap((half) => [
        half,
        ...['config.json', 'model.safetensors', 'vocab.txt'].map((name) => `${half}/${name}`),
      ]),
      bpe: expect.arrayContaining(['source.bpe', 'model.safetensors']) as string[],
    });
  });

  it('refuses names that lead out of the cache', async () => {
    const index = JSON.stringify({ weight_map: { a: '../../../../escaped' } });
    const files = { 'config.json': '{}', 'model.safetensors.index.json': index, '../../../../escaped': 'x' };
    hub.server.repositories.set(ID, { commit: COMMIT, files });
    await expect(fetchModel()).rejects.toThrow('does not say which files hold the weights');
    hub.server.repositories.set(ID, { ...tinyRepository(), commit: '../../escaped' });
    await expect(fetchModel()).rejects.toThrow('does not answer like a hub: without X-Repo-Commit');
    await expect(fetchModel({ revision: '../main' })).rejects.toThrow('"../main" is no revision');
  });

  it('knows etags of other forms, and checks those that are checksums', async () => {
    const etags = { 'config.json': `W/"${gitSha1(Buffer.from('{"model_type": "bart"}'))}"`, 'vocab.json': '"1f-2"' };
    for (const [name, etag] of Object.entries(etags)) {
      const headers = { etag, 'x-repo-commit': COMMIT, 'content-length': `${tinyRepository().files[name]!.length}` };
      fault(new RegExp(`HEAD hub .*/${name}`), { status: 200, headers });
    }
    const place = await fetchModel();
    expect(fs.readlinkSync(path.join(place, 'config.json'))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/);
    expect(fs.readlinkSync(path.join(place, 'vocab.json'))).toBe('../../blobs/1f-2');
  });

  it('puts contents in the place of links where there are none', async () => {
    const symlink = vi.spyOn(fs.promises, 'symlink').mockRejectedValue(new Error('no links here'));
    const place = await fetchModel();
    expect(fs.readdirSync(place, { withFileTypes: true }).map((entry) => entry.isFile())).toEqual(Array(6).fill(true));
    expect(fs.readdirSync(repository('blobs'))).toEqual([]);
    expect(await fetchModel({ localFilesOnly: true })).toBe(place);
    hub.server.seen.length = 0;
    await fetchModel({ forceDownload: true });
    expect(hub.server.asked('GET')).toHaveLength(7);
    expect(sha256(fs.readFileSync(path.join(place, 'model.safetensors')))).toBe(sha256(WEIGHTS));
    symlink.mockRestore();
  });

  it('tells its progress', async () => {
    const told: HubProgress[] = [];
    await fetchModel({ onProgress: (progress) => told.push(progress) });
    expect(told.filter(({ file }) => file === 'model.safetensors').at(-1)).toEqual({
      file: 'model.safetensors',
      done: WEIGHTS.length,
      total: WEIGHTS.length,
    });
  });

  it('is done again when it is forced', async () => {
    await fetchModel();
    fs.writeFileSync(blob(WEIGHTS), 'spoiled');
    hub.server.seen.length = 0;
    await fetchModel({ forceDownload: true });
    expect(sha256(fs.readFileSync(blob(WEIGHTS)))).toBe(sha256(WEIGHTS));
    expect(hub.server.asked('GET')).toHaveLength(7);
  });

  it('is not begun where there is no room, or no folder', async () => {
    const full = { bavail: 10, bsize: 512 } as StatsFs;
    const statfs = vi.spyOn(fs.promises, 'statfs').mockResolvedValue(full);
    await expect(fetchModel()).rejects.toThrow(
      `hub: model.safetensors needs 200000 more bytes in ${repository('blobs')}, where 5120 are free. Make room`,
    );
    statfs.mockRestore();
    expect(hub.server.asked('GET').filter((each) => each.includes('cdn'))).toEqual([]);
    await expect(fetchModel({ cacheDir: 'package.json' })).rejects.toThrow(
      /hub: config.json cannot be written in .*: a part of the path is no directory/,
    );
  });

  it('ends when it is told to, and leaves what is to be gone on with', async () => {
    fault(/GET cdn/, { stallAfter: 70_000 });
    const controller = new AbortController();
    const onProgress = ({ file }: HubProgress) => file === 'model.safetensors' && controller.abort(new Error('enough'));
    await expect(fetchModel({ signal: controller.signal, onProgress })).rejects.toThrow('enough');
    expect(fs.existsSync(repository('refs', 'main'))).toBe(false);
    expect(fs.statSync(`${blob(WEIGHTS)}.incomplete`).size).toBeGreaterThan(0);
    await fetchModel();
    expect(ranges().at(-1)).toMatch(/^bytes=\d+-$/);
  });
});

describe('a server that misbehaves', () => {
  it('cuts: the rest is asked for', async () => {
    fault(/GET cdn/, { cutAfter: 80_000 });
    fault(/GET cdn/, { cutAfter: 70_000 });
    const place = await fetchModel();
    expect(sha256(fs.readFileSync(path.join(place, 'model.safetensors')))).toBe(sha256(WEIGHTS));
    expect(ranges()).toEqual([undefined, 'bytes=80000-', 'bytes=150000-']);
  });

  it('cuts, and knows no ranges: from the beginning', async () => {
    fault(/GET cdn/, { cutAfter: 80_000 });
    fault(/GET cdn/, { ignoreRange: true });
    const place = await fetchModel();
    expect(sha256(fs.readFileSync(path.join(place, 'model.safetensors')))).toBe(sha256(WEIGHTS));
  });

  it('was cut in an earlier run: gone on with, unless that is not wanted', async () => {
    const aside = `${blob(WEIGHTS)}.incomplete`;
    fs.mkdirSync(path.dirname(aside), { recursive: true });
    fs.writeFileSync(aside, WEIGHTS.subarray(0, 50_000));
    await fetchModel();
    expect(ranges()).toEqual(['bytes=50000-']);
    fs.rmSync(hub.cacheDir, { recursive: true });
    fs.mkdirSync(path.dirname(aside), { recursive: true });
    fs.writeFileSync(aside, WEIGHTS.subarray(0, 50_000));
    await fetchModel({ resumeDownload: false });
    expect(ranges()).toEqual(['bytes=50000-', undefined]);
  });

  it.each([
    ['another content', Buffer.alloc(50_000, 'another')],
    ['more than the file has', Buffer.alloc(250_000, 'another')],
    ['all of another content', Buffer.alloc(WEIGHTS.length, 'another')],
  ])('left %s from an earlier run: from the beginning', async (_, left) => {
    const aside = `${blob(WEIGHTS)}.incomplete`;
    fs.mkdirSync(path.dirname(aside), { recursive: true });
    fs.writeFileSync(aside, left);
    const place = await fetchModel();
    expect(sha256(fs.readFileSync(path.join(place, 'model.safetensors')))).toBe(sha256(WEIGHTS));
  });

  it.each([500, 502, 503, 504, 429])('answers %d: asked again', async (status) => {
    fault(/HEAD hub .*config.json/, { status, headers: { 'retry-after': '0.01' } });
    fault(/GET hub .*vocab.json/, { status, headers: { 'retry-after': '0.01' } });
    fault(/GET cdn/, { status, times: 3, headers: { 'retry-after': '0.01' } });
    expect(fs.readdirSync(await fetchModel())).toHaveLength(6);
  });

  it('answers 503 for good: an error that says so', async () => {
    fault(/./, { status: 503, times: 1000, headers: { 'retry-after': '0.01' } });
    await expect(fetchModel()).rejects.toThrow(
      /hub: 127.0.0.1:\d+ reports 503, trouble of its own\. org\/tiny at main is not in/,
    );
    fault(/./, { status: 503, times: 1000, headers: { 'retry-after': '86400' } });
    hub.server.faults.shift();
    await expect(fetchModel()).rejects.toThrow('503');
  });

  it('sends a wrong checksum: deleted, and said', async () => {
    fault(/GET cdn/, { body: Buffer.alloc(WEIGHTS.length, 'wrong'), times: 2 });
    await expect(fetchModel()).rejects.toThrow(/does not have the checksum [0-9a-f]{64}.*deleted/);
    expect(fs.readdirSync(repository('blobs')).filter((name) => name.startsWith(sha256(WEIGHTS)))).toEqual([]);
    fs.rmSync(hub.cacheDir, { recursive: true });
    fault(/GET hub .*vocab.json/, { body: Buffer.from('{"<s>": 1}'), times: 2 });
    await expect(fetchModel()).rejects.toThrow(/vocab.json sends what does not have the checksum/);
    // Once may have been the way.
    fault(/GET cdn/, { body: Buffer.alloc(WEIGHTS.length, 'wrong') });
    const place = await fetchModel();
    expect(sha256(fs.readFileSync(path.join(place, 'model.safetensors')))).toBe(sha256(WEIGHTS));
  });

  it('announces a wrong length', async () => {
    fault(/GET cdn/, { length: WEIGHTS.length - 1000, times: 2 });
    await expect(fetchModel()).rejects.toThrow(
      `has ${WEIGHTS.length - 1000} bytes where the hub states ${WEIGHTS.length}`,
    );
    fault(/GET cdn/, { body: WEIGHTS.subarray(0, 1000), times: 2 });
    await expect(fetchModel()).rejects.toThrow('has 1000 bytes where the hub states');
    fault(/GET cdn/, { length: WEIGHTS.length + 1000 });
    expect(fs.readdirSync(await fetchModel())).toHaveLength(6);
  });

  it('is slow: given up after the time that is set, and asked again', async () => {
    vi.stubEnv('HF_HUB_ETAG_TIMEOUT', '0.2');
    vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '0.2');
    fault(/GET hub \/api/, { stallAfter: 0 });
    fault(/GET cdn/, { stallAfter: 60_000 });
    const place = await fetchModel();
    expect(sha256(fs.readFileSync(path.join(place, 'model.safetensors')))).toBe(sha256(WEIGHTS));
    expect(ranges()).toEqual([undefined, 'bytes=60000-']);
  });

  it('is no hub', async () => {
    fault(/./, { status: 200, times: 1000 });
    await expect(fetchModel()).rejects.toThrow(
      /does not answer like a hub: without X-Repo-Commit, ETag, Content-Length/,
    );
  });

  it('redirects without end', async () => {
    fault(/./, { status: 302, headers: { location: '/again' }, times: 1000 });
    await expect(fetchModel({ revision: COMMIT })).rejects.toThrow('redirects without end');
  });

  it('lists a file that is not there: the files are asked', async () => {
    fault(/HEAD hub .*generation_config/, { status: 404, headers: { 'x-error-code': 'EntryNotFound' } });
    expect(fs.readdirSync(await fetchModel())).toContain('model.safetensors');
  });
});

describe('without the network', () => {
  it.each(['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'])('%s: the cache, and nothing else', async (name) => {
    const place = await fetchModel();
    hub.server.seen.length = 0;
    vi.stubEnv(name, '1');
    expect(await fetchModel()).toBe(place);
    await expect(fetchModel({}, 'org/tinny')).rejects.toThrow(
      new RegExp(
        `hub: ${name} is set, and org/tinny at main is not in .* Did you mean org/tiny, which is in the cache\\?`,
      ),
    );
    await expect(fetchModel({ forceDownload: true })).rejects.toThrow(
      `forceDownload asks for a download, but ${name} is set`,
    );
    expect(hub.server.seen).toEqual([]);
    fs.rmSync(path.join(place, 'model.safetensors'));
    await expect(fetchModel()).rejects.toThrow('is not in');
  });

  it('goes on with the cache and says so, or fails', async () => {
    const place = await fetchModel();
    const said: string[] = [];
    const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => Boolean(said.push(String(text))));
    const nowhere = 'http://127.0.0.1:1';
    try {
      expect(await fetchModel({ endpoint: nowhere, silent: false })).toBe(place);
    } finally {
      write.mockRestore();
    }
    expect(said).toEqual([
      'hub: 127.0.0.1:1 cannot be reached: nothing answers at its address. ' +
        'Going on with what was downloaded before: commit 0123456789ab of org/tiny.\n',
    ]);
  });
});
