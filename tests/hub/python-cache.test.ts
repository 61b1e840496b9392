import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { COMMIT, sha256, tinyRepository } from './server.js';
import { hubForEachTest, ID } from './setup.js';

/** Each file of the cache that scripts/reference/hub_cache.py had Python's client make. */
type Entry = { readonly link: string } | { readonly text: string } | { readonly of: string };
const entries = Object.entries(
  JSON.parse(fs.readFileSync(new URL('../fixtures/hub/python-cache.json', import.meta.url), 'utf8')) as Record<
    string,
    Entry
  >,
);
const hub = hubForEachTest();
const { fetchModel, repository } = hub;

function makePythonCache(): void {
  for (const [name, entry] of entries) {
    const place = path.join(hub.cacheDir, name);
    fs.mkdirSync(path.dirname(place), { recursive: true });
    if ('link' in entry) fs.symlinkSync(entry.link, place);
    else fs.writeFileSync(place, 'text' in entry ? entry.text : tinyRepository().files[entry.of]!);
  }
}

describe("a cache that Python's client made", () => {
  beforeEach(makePythonCache);

  it('is used as it is, without any request where none is needed', async () => {
    const before = fs.readdirSync(hub.cacheDir, { recursive: true }).sort();
    for (const options of [{ localFilesOnly: true }, { revision: COMMIT }]) {
      expect(await fetchModel(options)).toBe(repository('snapshots', COMMIT));
    }
    expect(hub.server.seen).toEqual([]);
    expect(fs.readdirSync(hub.cacheDir, { recursive: true }).sort()).toEqual(before);
  });

  it.each([true, false])('is not downloaded again (with a listing: %s)', async (hasListing) => {
    hub.server.hasListing = hasListing;
    expect(await fetchModel()).toBe(repository('snapshots', COMMIT));
    expect(hub.server.asked('GET')).toEqual([`GET hub /api/models/${ID}/revision/main`]);
    // What it knows to be absent is not asked for.
    expect(hub.server.asked('HEAD')).not.toContain('HEAD hub added_tokens.json');
  });

  it('keeps the weights it has, in the form it has them', async () => {
    const pickled = Buffer.from(tinyRepository().files['pytorch_model.bin']!);
    fs.rmSync(repository('snapshots', COMMIT, 'model.safetensors'));
    fs.writeFileSync(repository('blobs', sha256(pickled)), pickled);
    fs.symlinkSync(`../../blobs/${sha256(pickled)}`, repository('snapshots', COMMIT, 'pytorch_model.bin'));
    const place = await fetchModel();
    expect(fs.readdirSync(place)).not.toContain('model.safetensors');
    expect(hub.server.asked('GET')).toHaveLength(1);
  });

  it('gets what it lacks: links to blobs that are there, and files that are not', async () => {
    fs.rmSync(repository('snapshots', COMMIT, 'config.json'));
    fs.rmSync(repository('snapshots', COMMIT, 'vocab.json'));
    fs.rmSync(repository('blobs', fs.readdirSync(repository('blobs')).find((name) => name.startsWith('28aa15b6'))!));
    expect(fs.readdirSync(await fetchModel())).toHaveLength(6);
    expect(hub.server.asked('GET').slice(1)).toEqual(['GET hub vocab.json']);
  });
});

it('a cache of ours has the same files, links and locks', async () => {
  await fetchModel();
  const names = fs
    .readdirSync(hub.cacheDir, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(hub.cacheDir, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'));
  const isNote = (name: string) => name.includes('/.no_exist/');
  expect(names.filter((name) => !isNote(name)).sort()).toEqual(
    entries.map(([name]) => name).filter((name) => !isNote(name)),
  );
  for (const [name, entry] of entries) {
    const place = path.join(hub.cacheDir, name);
    if ('link' in entry) expect(fs.readlinkSync(place)).toBe(entry.link);
    else if ('text' in entry) expect(fs.readFileSync(place, 'utf8')).toBe(entry.text);
  }
});
