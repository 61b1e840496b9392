import { describe, expect, it } from 'vitest';
import { proxyFor } from './proxy.js';

const choose = (url: string, given: Record<string, string>, environment: Record<string, string>) =>
  proxyFor(new URL(url), given, environment)?.href;

describe('the proxy for an address', () => {
  it.each([
    ['of its scheme', { http: 'http://a', https: 'http://b' }, {}, 'http://b/'],
    ['of its host before that', { https: 'http://b', 'https://hub.example': 'http://c' }, {}, 'http://c/'],
    ['of all', { http: 'http://a', all: 'd:3128' }, {}, 'http://d:3128/'],
    ['from the option before a variable', { https: 'http://b' }, { https_proxy: 'http://e' }, 'http://b/'],
    ['from a variable', { http: 'http://a' }, { HTTPS_PROXY: 'http://e' }, 'http://e/'],
    ['in lower case before upper case', {}, { https_proxy: 'http://e', HTTPS_PROXY: 'http://f' }, 'http://e/'],
    ['from the variable for all', {}, { ALL_PROXY: 'http://g' }, 'http://g/'],
    ['with a password', {}, { https_proxy: 'me:pass@e:1' }, 'http://me:pass@e:1/'],
    ['only for its scheme', { http: 'http://a' }, { http_proxy: 'http://e' }, undefined],
  ])('%s', (_, given, environment, expected) => {
    expect(choose('https://hub.example/x', given, environment)).toBe(expected);
  });

  it.each([
    ['hub.example', true],
    ['.example', true],
    ['*.example', true],
    ['other.example, EXAMPLE', true],
    ['hub.example:443', true],
    ['*', true],
    ['hub.example:8080', false],
    ['ub.example', false],
    ['hub.example.com', false],
    ['', false],
  ])('is none where NO_PROXY is %j: %s', (NO_PROXY, exempt) => {
    const environment = { https_proxy: 'http://e', NO_PROXY };
    expect(choose('https://hub.example/x', {}, environment)).toBe(exempt ? undefined : 'http://e/');
    // What is asked for by name is not exempt.
    expect(choose('https://hub.example/x', { https: 'http://b' }, environment)).toBe('http://b/');
  });

  it.each([
    ['http://10.1.2.3/', '10.0.0.0/8', true],
    ['http://11.1.2.3/', '10.0.0.0/8', false],
    ['http://[fd00::1]/', 'fd00::/8', true],
    ['http://10.1.2.3/', '10.0.0.0/99', false],
    ['http://10.1.2.3/', '10.1.2.3', true],
  ])('%s and NO_PROXY %s: %s', (url, no_proxy, exempt) => {
    expect(choose(url, {}, { http_proxy: 'http://e', no_proxy })).toBe(exempt ? undefined : 'http://e/');
  });
});
