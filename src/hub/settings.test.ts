import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveSettings } from './settings.js';

const home = os.homedir();

describe('where downloads are kept', () => {
  it.each([
    [{}, path.join(home, '.cache', 'huggingface', 'hub')],
    [{ XDG_CACHE_HOME: '/xdg' }, '/xdg/huggingface/hub'],
    [{ XDG_CACHE_HOME: '/xdg', HF_HOME: '~/hf' }, path.join(home, 'hf', 'hub')],
    [{ HF_HOME: '/hf', HUGGINGFACE_HUB_CACHE: '/old' }, '/old'],
    [{ HUGGINGFACE_HUB_CACHE: '/old', HF_HUB_CACHE: '/new' }, '/new'],
    [{ HF_HUB_CACHE: '$' + '{DISK}/$NAME/$NONE', DISK: '/disk', NAME: 'x' }, '/disk/x/$NONE'],
    [{ HF_HUB_CACHE: '' }, path.join(home, '.cache', 'huggingface', 'hub')],
  ])('%j', (environment, expected) => {
    expect(resolveSettings({}, environment).cacheDir).toBe(expected);
    expect(resolveSettings({ cacheDir: '/given' }, environment).cacheDir).toBe('/given');
  });
});

describe('the endpoint', () => {
  it.each([
    [{}, 'https://huggingface.co/'],
    [{ HF_ENDPOINT: 'https://mirror.example/' }, 'https://mirror.example/'],
    [{ HF_ENDPOINT: 'http://mirror.example:8080/hub//' }, 'http://mirror.example:8080/hub'],
  ])('%j', (environment, expected) => {
    expect(resolveSettings({}, environment).endpoint.href).toBe(expected);
  });

  it('is an address', () => {
    expect(() => resolveSettings({}, { HF_ENDPOINT: 'mirror.example' })).toThrow('is no http or https address');
  });
});

describe('the network', () => {
  it.each([
    [{ HF_HUB_OFFLINE: '1' }, 'HF_HUB_OFFLINE is set'],
    [{ HF_HUB_OFFLINE: 'yes' }, 'HF_HUB_OFFLINE is set'],
    [{ HF_HUB_OFFLINE: '0', TRANSFORMERS_OFFLINE: '1' }, undefined],
    [{ HF_HUB_OFFLINE: '', TRANSFORMERS_OFFLINE: 'TRUE' }, 'TRANSFORMERS_OFFLINE is set'],
    [{}, undefined],
  ])('%j', (environment, expected) => {
    expect(resolveSettings({}, environment).offline).toBe(expected);
  });

  it('is waited for as long as is set', () => {
    expect(resolveSettings({}, { HF_HUB_ETAG_TIMEOUT: '3' })).toMatchObject({
      answerTimeout: 3000,
      downloadTimeout: 10_000,
    });
    expect(() => resolveSettings({}, { HF_HUB_DOWNLOAD_TIMEOUT: 'soon' })).toThrow(
      'hub: HF_HUB_DOWNLOAD_TIMEOUT is "soon". Set it to a number of seconds above 0.',
    );
  });
});

it.each(['', '..', 'a/../b', '/a', 'a//b', 'a b', 'a\\b', 'a\0', 'C:'])('%j is no revision', (revision) => {
  expect(() => resolveSettings({ revision }, {})).toThrow('is no revision');
});

it.each(['main', 'v1.0', 'refs/pr/1', 'feature/x', '0123abc'])('%j is a revision', (revision) => {
  expect(resolveSettings({ revision }, {}).revision).toBe(revision);
});
