import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import fc from 'fast-check';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  bartVocabulary,
  byteAlphabet,
  createByteLevelBpe,
  loadTokenizer,
  type Tokenizer,
  toByteAlphabet,
} from './index.js';

const FIXTURES = new URL('../../tests/fixtures/tokenizers/', import.meta.url).pathname;
const read = <T>(name: string) => JSON.parse(readFileSync(join(FIXTURES, name), 'utf8')) as T;

interface Case {
  text: string;
  ids: number[];
  cut: number[];
  decoded: string;
  skipped: string;
  cleaned?: string;
}
interface Variant {
  name: string;
  base: 'slow' | 'fast';
  files: Record<string, unknown>;
  patch: { model?: Record<string, unknown> & { drop?: string[] } } & Record<string, unknown>;
  size: number;
  modelMaxLength: number | null;
  special: Record<string, number | null>;
  added: Record<string, unknown>[];
  cases: Case[];
}

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'tokenizer-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

/** A folder with these files. */
function folder(files: Iterable<readonly [string, string | Uint8Array]>): string {
  const path = mkdtempSync(join(scratch, 'f-'));
  for (const [name, content] of files) writeFileSync(join(path, name), content);
  return path;
}

const saved = (tokenizer: Tokenizer) => loadTokenizer(folder(tokenizer.files()), 'bart');

describe.each(['slow', 'fast'])('against the reference, from the %s files', (kind) => {
  const tokenizer = loadTokenizer(join(FIXTURES, kind), 'bart');
  const cases = read<Case[]>('cases.json');

  test('ids', () => {
    const wrong = cases.filter(
      ({ text, ids }) => String(tokenizer.encode(text, { addSpecialTokens: false })) !== String(ids),
    );
    expect(wrong.map(({ text }) => text)).toEqual([]);
    expect(cases.length).toBeGreaterThan(500);
  });

  test('ids with special tokens, whole and cut at 8', async () => {
    const texts = cases.map(({ text }) => text);
    expect((await tokenizer.encodeBatch(texts)).map(String)).toEqual(cases.map(({ ids }) => String([0, ...ids, 2])));
    const cut = await tokenizer.encodeBatch(texts, { maxLength: 8 });
    expect(cut.map(String)).toEqual(cases.map((row) => String(row.cut)));
  });

  test('decoded text', () => {
    for (const { ids, decoded, skipped, cleaned } of cases) {
      const whole = [0, ...ids, 2];
      expect(tokenizer.decode(whole)).toBe(decoded);
      expect(tokenizer.decode(whole, { skipSpecialTokens: true })).toBe(skipped);
      expect(tokenizer.decode(ids, { cleanUpTokenizationSpaces: true })).toBe(cleaned ?? tokenizer.decode(ids));
    }
  });

  test('decoding any ids, whole characters or not', () => {
    for (const { ids, decoded, skipped } of read<Case[]>('decode.json')) {
      expect(tokenizer.decode(Int32Array.from(ids))).toBe(decoded);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(skipped);
    }
  });

  test('size, special tokens and look-ups', () => {
    expect(tokenizer.vocabSize).toBe(1500);
    expect(tokenizer.special).toEqual({ bos: 0, eos: 2, unk: 3, sep: 2, pad: 1, cls: 0, mask: 4 });
    expect(tokenizer.modelMaxLength).toBeUndefined();
    expect(tokenizer.idOf('<mask>')).toBe(4);
    expect(tokenizer.idOf('no such token')).toBeUndefined();
    expect(tokenizer.tokenOf(1500)).toBeUndefined();
    for (let id = 0; id < tokenizer.vocabSize; id++) expect(tokenizer.idOf(tokenizer.tokenOf(id)!)).toBe(id);
  });
});

describe('folders as people have them', () => {
  test.each(read<Variant[]>('variants.json').map((variant) => [variant.name, variant] as const))('%s', (_, variant) => {
    const path = mkdtempSync(join(scratch, 'v-'));
    cpSync(join(FIXTURES, variant.base), path, { recursive: true });
    if (Object.keys(variant.patch).length > 0) {
      const serialized = read<Record<string, Record<string, unknown>>>('fast/tokenizer.json');
      const { drop = [], ...model } = variant.patch.model ?? {};
      const vocab = { ...(serialized.model!.vocab as Record<string, number>) };
      for (const token of drop) delete vocab[token];
      const patched = { ...serialized, ...variant.patch, model: { ...serialized.model, ...model, vocab } };
      writeFileSync(join(path, 'tokenizer.json'), JSON.stringify(patched));
    }
    for (const [name, content] of Object.entries(variant.files))
      writeFileSync(join(path, name), JSON.stringify(content));

    const tokenizer = loadTokenizer(path, 'bart');
    // What is saved says the same.
    for (const loaded of [tokenizer, saved(tokenizer)]) {
      expect(loaded.vocabSize).toBe(variant.size);
      expect(loaded.modelMaxLength ?? null).toBe(variant.modelMaxLength);
      expect(loaded.special).toEqual(variant.special);
      const { added_tokens } = JSON.parse(loaded.files().get('tokenizer.json') as string) as { added_tokens: unknown };
      expect(added_tokens).toEqual(variant.added);
      for (const { text, ids, cut, decoded, skipped } of variant.cases) {
        expect([text, ...loaded.encode(text)]).toEqual([text, ...ids]);
        expect([text, ...loaded.encode(text, { maxLength: 6 })]).toEqual([text, ...cut]);
        expect(loaded.decode(ids)).toBe(decoded);
        expect(loaded.decode(ids, { skipSpecialTokens: true })).toBe(skipped);
      }
    }
  });
});

describe('saving', () => {
  test('writes the files the reference writes', () => {
    const files = loadTokenizer(join(FIXTURES, 'slow'), 'bart').files();
    expect([...files.keys()].sort()).toEqual([
      'merges.txt',
      'special_tokens_map.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'vocab.json',
    ]);
    expect(files.get('tokenizer_config.json')).toBe(
      readFileSync(join(FIXTURES, 'saved/tokenizer_config.json'), 'utf8'),
    );
    expect(files.get('special_tokens_map.json')).toBe(
      readFileSync(join(FIXTURES, 'saved/special_tokens_map.json'), 'utf8'),
    );
    expect(files.get('merges.txt')).toBe(readFileSync(join(FIXTURES, 'slow/merges.txt'), 'utf8'));
    expect(JSON.parse(files.get('vocab.json') as string)).toEqual(read('slow/vocab.json'));
    const { model, ...rest } = read<{ model: { merges: string[][] } }>('fast/tokenizer.json');
    const merges = model.merges.map((merge) => merge.join(' '));
    expect(JSON.parse(files.get('tokenizer.json') as string)).toEqual({ ...rest, model: { ...model, merges } });
  });

  test('keeps settings it does not know and tokens beyond the vocabulary', () => {
    const base = loadTokenizer(join(FIXTURES, 'fast'), 'bart').files();
    const config = {
      my_own: { x: 1 },
      additional_special_tokens: ['<x>'],
      name_or_path: '/home/me',
      model_max_length: 1024,
    };
    const files = loadTokenizer(folder([...base, ['tokenizer_config.json', JSON.stringify(config)]]), 'bart').files();
    expect(JSON.parse(files.get('added_tokens.json') as string)).toEqual({ '<x>': 1500 });
    const kept = JSON.parse(files.get('tokenizer_config.json') as string) as Record<string, unknown>;
    expect(kept).toMatchObject({ my_own: { x: 1 }, additional_special_tokens: ['<x>'], model_max_length: 1024 });
    expect(kept).not.toHaveProperty('name_or_path');
  });
});

describe('made in memory', () => {
  const vocab = bartVocabulary([...byteAlphabet(), 'lo', 'Ġlo', '__proto__']);
  const tokenizer = createByteLevelBpe({
    vocab,
    merges: [
      ['l', 'o'],
      ['Ġ', 'lo'],
    ],
    modelMaxLength: 64,
  });

  test('has BART’s ids', () => {
    expect(tokenizer.special).toEqual({
      bos: 0,
      pad: 1,
      eos: 2,
      sep: 2,
      cls: 0,
      unk: 3,
      mask: tokenizer.vocabSize - 1,
    });
    expect(tokenizer.modelMaxLength).toBe(64);
    expect([...tokenizer.encode('lo lol')].map((id) => tokenizer.tokenOf(id))).toEqual([
      '<s>',
      'lo',
      'Ġlo',
      'l',
      '</s>',
    ]);
  });

  test('is saved and loaded as any other, from either kind of files', () => {
    const files = new Map(tokenizer.files());
    expect(saved(tokenizer).encode('lo lol <mask>')).toEqual(tokenizer.encode('lo lol <mask>'));
    files.delete('tokenizer.json');
    const slow = loadTokenizer(folder(files), 'bart');
    expect(slow.encode('lo lol <mask>')).toEqual(tokenizer.encode('lo lol <mask>'));
    expect(slow.idOf('__proto__')).toBe(tokenizer.idOf('__proto__'));
  });

  test('alphabet', () => {
    expect(toByteAlphabet(' é\n')).toBe('ĠÃ©Ċ');
    expect(new Set(byteAlphabet()).size).toBe(256);
  });
});

describe('texts without end', () => {
  const tokenizer = loadTokenizer(join(FIXTURES, 'fast'), 'bart');

  test.each([
    ['words', 'the returned list '.repeat(60_000)],
    ['one word', 'theretu'.repeat(150_000)],
    ['one letter', 'a'.repeat(1_000_000)],
    ['spaces', ' '.repeat(1_000_000)],
    ['masks', ' <mask>'.repeat(150_000)],
    ['emoji', '😀'.repeat(250_000)],
  ])('a megabyte of %s', (_, text) => {
    const start = process.cpuUsage();
    const ids = tokenizer.encode(text);
    // It takes about 0.2 s; something quadratic would take minutes.
    expect(process.cpuUsage(start).user).toBeLessThan(5e6);
    if (!text.includes('<')) expect(tokenizer.decode(ids.subarray(1, -1)) === text).toBe(true);
  });

  test('what is cut off is not tokenised', () => {
    const text = 'the returned list '.repeat(200_000);
    const start = performance.now();
    tokenizer.encode(text);
    const middle = performance.now();
    const cut = tokenizer.encode(text, { maxLength: 8 });
    expect(performance.now() - middle).toBeLessThan((middle - start) / 3);
    expect([...cut]).toEqual([...tokenizer.encode(text.slice(0, 40)).subarray(0, 7), 2]);
  });

  test('a batch lets other work go on', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await tokenizer.encodeBatch(Array.from({ length: 40_000 }, (_, i) => `the list number ${i} that is returned`));
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(2);
  });
});

describe('against Hugging Face’s native library', () => {
  const native = NativeTokenizer.fromFile(join(FIXTURES, 'fast/tokenizer.json'));
  const tokenizer = loadTokenizer(join(FIXTURES, 'fast'), 'bart');
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string(),
    fc.constantFrom(
      ' ',
      '\n',
      '  ',
      '\u00a0',
      '\u0085',
      '\ufeff',
      "'s",
      '<mask>',
      '</s>',
      'the',
      '1',
      '!',
      '\ud800',
      'é',
      '😀',
    ),
  );

  test('any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        const text = pieces.join('');
        const ids = [...tokenizer.encode(text)];
        expect(ids).toEqual((await native.encode(text)).getIds());
        expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(await native.decode(ids, true));
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  test('any ids', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(1499)), async (ids) => {
        expect(tokenizer.decode(ids)).toBe(await native.decode(ids, false));
      }),
      { numRuns: 1000, seed: 1 },
    );
  });

  test('any merges, in whatever order', async () => {
    const letters = ['a', 'b', 'c'];
    const token = fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(token, token), { selector: String, maxLength: 12 }),
        fc.array(fc.string({ unit: fc.constantFrom(...letters), maxLength: 20 }), { maxLength: 10 }),
        async (merges, texts) => {
          const vocab = bartVocabulary([...byteAlphabet(), ...merges.flatMap(([a, b]) => [a, b, a + b])]);
          const made = createByteLevelBpe({ vocab, merges });
          const oracle = NativeTokenizer.fromString(made.files().get('tokenizer.json') as string);
          for (const text of texts) expect([...made.encode(text)]).toEqual((await oracle.encode(text)).getIds());
        },
      ),
      { numRuns: 300, seed: 1 },
    );
  });

  test('any added tokens', async () => {
    const unit = fc.constantFrom('a', 'b', ' ', '_', '-', '\n', 'é', '𐐀', '😀');
    const token = fc.record({
      content: fc.string({ unit: fc.constantFrom('a', 'b', ' ', '𐐀'), minLength: 1, maxLength: 3 }),
      single_word: fc.constantFrom(false, false, true),
      lstrip: fc.boolean(),
      rstrip: fc.boolean(),
      normalized: fc.boolean(),
      special: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(token, { selector: ({ content }) => content, maxLength: 5 }),
        fc.array(fc.string({ unit, maxLength: 12 }), { minLength: 1, maxLength: 6 }),
        async (drawn, texts) => {
          // The native library aborts where one token takes along the white space that another begins with.
          const spaced = drawn.some(({ content }) => content.startsWith(' '));
          const tokens = drawn.map((added) => ({ ...added, rstrip: added.rstrip && !spaced }));
          const base = createByteLevelBpe({ vocab: bartVocabulary(byteAlphabet()), merges: [] });
          const decoder = Object.fromEntries(tokens.map((added, i) => [base.vocabSize + i, added]));
          const config = JSON.stringify({ added_tokens_decoder: decoder });
          const made = loadTokenizer(folder([...base.files(), ['tokenizer_config.json', config]]), 'bart');
          const oracle = NativeTokenizer.fromString(made.files().get('tokenizer.json') as string);
          for (const text of texts)
            expect([text, ...made.encode(text)]).toEqual([text, ...(await oracle.encode(text)).getIds()]);
        },
      ),
      { numRuns: 400, seed: 1 },
    );
  });

  test.each([false, true])('bytes without a token, fused: %s', async (fuse) => {
    const serialized = read<{ model: { vocab: Record<string, number> } & Record<string, unknown> }>(
      'fast/tokenizer.json',
    );
    for (const byte of ['\x01', '\x02']) delete serialized.model.vocab[toByteAlphabet(byte)];
    Object.assign(serialized.model, { unk_token: '<unk>', fuse_unk: fuse });
    const text = 'a\x01\x02b\x01 \x02\x02';
    const loaded = loadTokenizer(folder([['tokenizer.json', JSON.stringify(serialized)]]), 'bart');
    const ids = [...loaded.encode(text)];
    expect(ids).toEqual((await NativeTokenizer.fromString(JSON.stringify(serialized)).encode(text)).getIds());
    expect(ids.filter((id) => id === 3).length).toBe(fuse ? 3 : 5);
  });
});

describe('lone surrogates', () => {
  const tokenizer = loadTokenizer(join(FIXTURES, 'slow'), 'bart');
  test.each(['\ud83d', 'a\udc00 b', '\ude00\ud83d', 'x \ud800<mask>\udfff'])('%j is tokenised as U+FFFD', (text) => {
    const replaced = text.replace(/[\ud800-\udfff]/g, '\ufffd');
    expect(tokenizer.encode(text)).toEqual(tokenizer.encode(replaced));
    expect(tokenizer.decode(tokenizer.encode(text), { skipSpecialTokens: true })).toBe(
      replaced.replace(' \ufffd<mask>', ' \ufffd').replace('<mask>', ''),
    );
  });
});

describe('errors', () => {
  const tokenizer = loadTokenizer(join(FIXTURES, 'slow'), 'bart');
  const slow = (name: string) => readFileSync(join(FIXTURES, 'slow', name), 'utf8');
  const fast = (change: (serialized: Record<string, Record<string, unknown>>) => void) => {
    const serialized = read<Record<string, Record<string, unknown>>>('fast/tokenizer.json');
    change(serialized);
    return [['tokenizer.json', JSON.stringify(serialized)]] as [string, string][];
  };

  test.each<[string, [string, string | Uint8Array][], RegExp]>([
    ['an empty folder', [], /^tokenizer: .* has no tokenizer\.json and no vocab\.json and no merges\.txt\. It needs/],
    ['no merges', [['vocab.json', slow('vocab.json')]], /has no tokenizer\.json and no merges\.txt/],
    ['no vocabulary', [['merges.txt', slow('merges.txt')]], /has no tokenizer\.json and no vocab\.json/],
    [
      'cut-off JSON',
      [
        ['vocab.json', slow('vocab.json').slice(0, 99)],
        ['merges.txt', slow('merges.txt')],
      ],
      /vocab\.json is not JSON: .*Download/,
    ],
    ['bytes', [['tokenizer.json', Uint8Array.of(0xff, 0xfe)]], /tokenizer\.json cannot be read: it is not UTF-8 text/],
    [
      'a list',
      [
        ['vocab.json', '[]'],
        ['merges.txt', slow('merges.txt')],
      ],
      /vocab\.json: the whole is \[\]: not an object of token ids/,
    ],
    [
      'an empty vocabulary',
      [
        ['vocab.json', '{}'],
        ['merges.txt', slow('merges.txt')],
      ],
      /vocab\.json: the vocabulary has no tokens/,
    ],
    [
      'a broken id',
      [
        ['vocab.json', '{"a":"0"}'],
        ['merges.txt', ''],
      ],
      /vocab\.json: the id of "a" is "0"\. Ids are whole numbers/,
    ],
    [
      'one id twice',
      [
        ['vocab.json', '{"a":1,"b":1}'],
        ['merges.txt', ''],
      ],
      /vocab\.json: "a" and "b" have the same id, 1/,
    ],
    [
      'a merge of one',
      [
        ['vocab.json', slow('vocab.json')],
        ['merges.txt', '#version: 0.2\na b\nabc\n'],
      ],
      /merges\.txt, line 3: "abc" is not two tokens/,
    ],
    [
      'merges of another',
      [
        ['vocab.json', '{"a":0,"b":1}'],
        ['merges.txt', '#version: 0.2\na b\n'],
      ],
      /merge 1, "a" \+ "b", needs the token "ab", which the vocabulary lacks/,
    ],
    [
      'a broken config',
      [
        ['vocab.json', slow('vocab.json')],
        ['merges.txt', slow('merges.txt')],
        ['tokenizer_config.json', '{"add_prefix_space":"yes"}'],
      ],
      /tokenizer_config\.json: add_prefix_space is "yes": Invalid input: expected boolean/,
    ],
    [
      'another model',
      fast((s) => {
        s.model!.type = 'WordPiece';
      }),
      /tokenizer\.json: model\.type is "WordPiece": Invalid input: expected "BPE"/,
    ],
    [
      'a normalizer',
      fast((s) => {
        s.normalizer = { type: 'NFC' };
      }),
      /tokenizer\.json: normalizer is \{"type":"NFC"\}: Invalid input: expected null/,
    ],
    [
      'another pre-tokenizer',
      fast((s) => {
        s.pre_tokenizer!.type = 'Whitespace';
      }),
      /tokenizer\.json: pre_tokenizer\.type is "Whitespace"/,
    ],
    [
      'a broken merge',
      fast((s) => {
        s.model!.merges = ['a b', 'a  b'];
      }),
      /merge 2 of .*tokenizer\.json: "a {2}b" is not two tokens/,
    ],
  ])('%s', (_, files, message) => {
    expect(() => loadTokenizer(folder(files), 'bart')).toThrow(message);
  });

  test('unknown model type, missing folder', () => {
    expect(() => loadTokenizer(join(FIXTURES, 'slow'), 'toString')).toThrow(
      'tokenizer: there is none for model type "toString". Known types: bart, ',
    );
    expect(() => loadTokenizer(join(FIXTURES, 'nowhere'), 'bart')).toThrow(/^tokenizer: .*nowhere is not a directory/);
  });

  test.each([-1, 1500, 0.5, Number.NaN])('decoding the id %d', (id) => {
    expect(() => tokenizer.decode([0, id])).toThrow(
      `tokenizer: there is no token of id ${id} (at 1 of 2); this vocabulary has 1500 tokens.`,
    );
  });

  test.each([undefined, null, 5, ['a']])('a text that is %j', async (text) => {
    await expect(tokenizer.encodeBatch([text as unknown as string])).rejects.toThrow(
      `tokenizer: only a string can be tokenised, not ${JSON.stringify(text)}.`,
    );
  });

  test('lengths without room', () => {
    expect(() => tokenizer.encode('a', { maxLength: 1 })).toThrow(
      'tokenizer: a length of 1 has no room for the 2 special tokens.',
    );
    expect([...tokenizer.encode('a', { maxLength: 2 })]).toEqual([0, 2]);
    expect([...tokenizer.encode('a', { maxLength: 0, addSpecialTokens: false })]).toEqual([]);
    expect(() => tokenizer.encode('a', { maxLength: Number.NaN })).toThrow('a length of NaN');
  });
});

test('RoBERTa: its class, and a mask that is sought in the text as it is', () => {
  const tokenizer = loadTokenizer(join(FIXTURES, 'slow'), 'roberta');
  const files = tokenizer.files();
  expect(JSON.parse(files.get('tokenizer_config.json') as string)).toMatchObject({
    tokenizer_class: 'RobertaTokenizer',
  });
  const { added_tokens } = JSON.parse(files.get('tokenizer.json') as string) as { added_tokens: object[] };
  expect(added_tokens.at(-1)).toMatchObject({ content: '<mask>', lstrip: true, normalized: false });
  for (const { text, ids, decoded } of read<Case[]>('cases.json')) {
    expect([...tokenizer.encode(text)]).toEqual([0, ...ids, 2]);
    expect(tokenizer.decode([0, ...ids, 2])).toBe(decoded);
  }
  expect(() => loadTokenizer(join(FIXTURES, 'slow'), 'roberta', { doLowerCase: true })).toThrow(/^tokenizer: /);
});
