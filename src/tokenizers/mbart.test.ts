import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadTokenizer, memorySource } from './index.js';

const FIXTURES = new URL('../../tests/fixtures/tokenizers/', import.meta.url);
const MODEL_FILE = 'sentencepiece.bpe.model';
const read = (name: string) => readFileSync(new URL(name, FIXTURES));

type Around = [before: number[], behind: number[]];
type Languages = [language: string, source: Around, target: Around][];

const load = (family: string, config: object = {}, model: Uint8Array | undefined = read(`${family}/${MODEL_FILE}`)) =>
  loadTokenizer(
    memorySource(
      new Map<string, string | Uint8Array>([
        [MODEL_FILE, model],
        ['tokenizer_config.json', JSON.stringify(config)],
      ]),
    ),
    family,
  );

describe.each([
  ['mbart', 25, (code: number) => [2, code]],
  ['mbart50', 52, (code: number) => [code, 2]],
])('%s', (family, count, around) => {
  const tokenizer = load(family);
  const idOf = (code: string) => tokenizer.idOf(code)!;

  test('marks both sides with the language, as the reference', () => {
    const languages = JSON.parse(read(`${family}/languages.json`).toString()) as Languages;
    expect(languages.length).toBe(5);
    const bare = [...tokenizer.encode('Hello world', { addSpecialTokens: false })];
    for (const [language, ...sides] of languages) {
      for (const [i, [before, behind]] of sides.entries()) {
        const ids = [...tokenizer.encode('Hello world', { language, target: i === 1 })];
        expect(ids).toEqual([...before, ...bare, ...behind]);
      }
    }
  });

  test('takes the languages of the settings, or else English and Romanian', () => {
    expect([...tokenizer.encode('')]).toEqual(around(idOf('en_XX')));
    expect([...tokenizer.encode('', { target: true })]).toEqual(around(idOf('ro_RO')));
    const set = load(family, { src_lang: 'de_DE', tgt_lang: 'fr_XX' });
    expect([...set.encode('')]).toEqual(around(idOf('de_DE')));
    expect([...set.encode('', { target: true })]).toEqual(around(idOf('fr_XX')));
    const saved = loadTokenizer(memorySource(set.files()), family);
    expect([...saved.encode('', { target: true })]).toEqual(around(idOf('fr_XX')));
  });

  test('has its codes, in order, before the mask', () => {
    const codes = Array.from({ length: count }, (_, i) => tokenizer.tokenOf(tokenizer.vocabSize - 1 - count + i)!);
    expect(codes.every((code) => /^[a-z]{2}_[A-Z]{2}$/.test(code))).toBe(true);
    expect(codes.slice(0, 3)).toEqual(['ar_AR', 'cs_CZ', 'de_DE']);
    expect(tokenizer.tokenOf(tokenizer.vocabSize - 1)).toBe('<mask>');
  });

  test('a language of one’s own is an additional special token', () => {
    const own = load(family, { additional_special_tokens: ['eo_XX'], src_lang: 'eo_XX' });
    expect([...own.encode('')]).toEqual(around(own.vocabSize - 1));
    const added = tokenizer.withAddedTokens(['eo_XX']);
    expect([...added.encode('', { language: 'eo_XX' })]).toEqual(around(tokenizer.vocabSize));
    expect([...added.encode('', { language: 'de_DE' })]).toEqual(around(idOf('de_DE')));
  });

  test('refuses other languages', () => {
    expect(() => tokenizer.encode('a', { language: 'de' })).toThrow(
      /^tokenizer: the language is "de", which is no language code of it\. .*Known are ar_AR, cs_CZ, de_DE, /,
    );
    expect(() => tokenizer.encode('a', { language: 'fr_FR', target: true })).toThrow('Did you mean "fr_XX"?');
    expect(() => tokenizer.encode('a', { language: '<mask>' })).toThrow(/^tokenizer: /);
    expect(() => load(family, { tgt_lang: 'en' })).toThrow(/the tgt_lang of .*tokenizer_config\.json is "en"/);
    expect(() => load(family, { src_lang: 5 })).toThrow(/tokenizer_config\.json: src_lang is 5: /);
  });
});

test('mBART does not know the languages of mBART-50', () => {
  expect(() => load('mbart').encode('a', { language: 'sv_SE' })).toThrow(/^tokenizer: the language is "sv_SE"/);
});

test.each([
  ['mbart', 'MBart50TokenizerFast', 'mbart50'],
  ['mbart', 'MBart50Tokenizer', 'mbart50'],
  ['mbart50', 'MBartTokenizer', 'mbart'],
  ['camembert', 'MBartTokenizerFast', 'mbart'],
  ['mbart', 'CamembertTokenizer', 'camembert'],
])('loaded as %s, a %s is refused', (family, tokenizerClass, fitting) => {
  expect(() => load(family, { tokenizer_class: tokenizerClass })).toThrow(
    new RegExp(`^tokenizer: memory holds a ${tokenizerClass}, .* Load it as model type "${fitting}"\\.$`),
  );
});

describe('files that cannot be', () => {
  test.each([
    ['none', new Map(), /^tokenizer: memory has no tokenizer\.json and no sentencepiece\.bpe\.model\./],
    ['a cut model', new Map([[MODEL_FILE, read(`mbart/${MODEL_FILE}`).subarray(0, 999)]]), /^tokenizer: /],
    ['an empty model', new Map([[MODEL_FILE, new Uint8Array(0)]]), /^tokenizer: .* is empty/],
    [
      'a BPE model',
      new Map([[MODEL_FILE, read('sentencepiece/bpe.model')]]),
      /^tokenizer: .* of type bpe; these tokenizers need a unigram model/,
    ],
    ['no JSON', new Map([['tokenizer.json', '{']]), /^tokenizer: .*tokenizer\.json is not JSON/],
    ['another model', new Map([['tokenizer.json', read('fast/tokenizer.json')]]), /^tokenizer: .*tokenizer\.json: /],
    [
      'an unknown token beyond the vocabulary',
      new Map([['tokenizer.json', changed((model) => Object.assign(model, { unk_id: 1e6 }))]]),
      /the unknown token is 1000000, but the vocabulary has 507 tokens/,
    ],
    [
      'tokens without scores',
      new Map([['tokenizer.json', changed((model) => Object.assign(model, { vocab: ['a', 'b'] }))]]),
      /model\.vocab is \["a","b"\]: not a list of tokens with their scores/,
    ],
  ])('%s', (_, files, message) => {
    expect(() => loadTokenizer(memorySource(files), 'mbart')).toThrow(message);
  });
});

function changed(change: (model: object) => void): string {
  const serialized = JSON.parse(read('mbart/tokenizer.json').toString()) as { model: object };
  change(serialized.model);
  return JSON.stringify(serialized);
}
