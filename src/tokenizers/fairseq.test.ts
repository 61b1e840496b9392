import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import fc from 'fast-check';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { describe, expect, test } from 'vitest';
import { loadTokenizer, memorySource, type Tokenizer } from './index.js';
import { parseSentencePiece, serializeSentencePiece } from './sentencepiece/index.js';

const FIXTURES = new URL('../../tests/fixtures/tokenizers/', import.meta.url).pathname;
const MODEL_FILE = 'sentencepiece.bpe.model';
const read = <T>(name: string) => JSON.parse(readFileSync(join(FIXTURES, name), 'utf8')) as T;

type Case = [text: string, ids: number[], decoded: string, skipped: string, cleaned?: string];
type Normalizer = { type: string; precompiled_charsmap?: string; normalizers?: Normalizer[] };
type Serialized = Record<string, unknown> & { normalizer: Normalizer | null };
interface Variant {
  name: string;
  base: 'slow' | 'fast';
  files: Record<string, unknown>;
  patch: Partial<Serialized>;
  size: number;
  modelMaxLength: number | null;
  special: Record<string, number>;
  added: Record<string, unknown>[];
  cases: [text: string, ids: number[], cut: number[], decoded: string, skipped: string][];
}

const charsmap = parseSentencePiece(readFileSync(join(FIXTURES, 'sentencepiece/unigram.model')), 'unigram.model')
  .normalizer.precompiledCharsmap;

/** tokenizer.json with the character map that the fixtures leave out. */
function withMap(serialized: Serialized): Serialized {
  const fill = (step: Normalizer): Normalizer =>
    step.type === 'Precompiled'
      ? { ...step, precompiled_charsmap: Buffer.from(charsmap).toString('base64') }
      : step.normalizers
        ? { ...step, normalizers: step.normalizers.map(fill) }
        : step;
  return { ...serialized, normalizer: serialized.normalizer && fill(serialized.normalizer) };
}

function modelOf(family: string): Uint8Array {
  const bytes = readFileSync(join(FIXTURES, family, MODEL_FILE));
  if (family === 'mbart') return bytes;
  const file = parseSentencePiece(bytes, MODEL_FILE);
  return serializeSentencePiece({ ...file, normalizer: { ...file.normalizer, precompiledCharsmap: charsmap } });
}

const load = (family: string, files: Iterable<readonly [string, unknown]>): Tokenizer =>
  loadTokenizer(
    memorySource(
      new Map(
        [...files].map(([name, content]) => [
          name,
          typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content),
        ]),
      ),
    ),
    family,
  );

type Named = Record<string, string | { content: string } | (string | { content: string })[]>;

const contents = (named: Named) =>
  Object.entries(named).map(([role, tokens]) => [
    role,
    [tokens].flat().map((token) => (typeof token === 'string' ? token : token.content)),
  ]);

const withoutNormalized = (tokens: Variant['added']) => tokens.map(({ normalized: _, ...token }) => token);

const families = ['mbart', 'mbart50', 'camembert'].map((family) => {
  const serialized = withMap(read<Serialized>(`${family}/tokenizer.json`));
  const config = read(`${family}/tokenizer_config.json`);
  const model = modelOf(family);
  const slow = load(family, [[MODEL_FILE, model]]);
  const fast = load(family, [
    ['tokenizer.json', serialized],
    ['tokenizer_config.json', config],
  ]);
  return { family, serialized, model, slow, fast };
});

describe.each(families)('$family', ({ family, serialized, model, slow, fast }) => {
  const cases = read<Case[]>(`${family}/cases.json`);
  const [prefix, suffix] = [
    slow.encode('').slice(0, family === 'mbart' ? 0 : 1),
    slow.encode('').slice(family === 'mbart' ? 0 : 1),
  ];
  const around = (ids: readonly number[]) => [...prefix, ...ids, ...suffix];

  describe.each([
    ['slow', slow],
    ['fast', fast],
  ])('from the %s files', (_, tokenizer) => {
    test('ids, whole and cut at 8', async () => {
      const texts = cases.map(([text]) => text);
      const bare = await tokenizer.encodeBatch(texts, { addSpecialTokens: false });
      expect(texts.filter((_, i) => String(bare[i]) !== String(cases[i]![1]))).toEqual([]);
      const cut = await tokenizer.encodeBatch(texts, { maxLength: 8 });
      const room = 8 - prefix.length - suffix.length;
      expect(cut.map(String)).toEqual(cases.map(([, ids]) => String(around(ids.slice(0, room)))));
      expect(cases.length).toBeGreaterThan(400);
    });

    test('decoded text', () => {
      for (const [, ids, decoded, skipped, cleaned = decoded] of cases) {
        expect(tokenizer.decode(around(ids))).toBe(decoded);
        expect(tokenizer.decode(around(ids), { skipSpecialTokens: true })).toBe(skipped);
        expect(tokenizer.decode(around(ids), { cleanUpTokenizationSpaces: true })).toBe(cleaned);
      }
      for (const [ids, decoded, skipped] of read<[number[], string, string][]>(`${family}/decode.json`)) {
        expect(tokenizer.decode(ids)).toBe(decoded);
        expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(skipped);
      }
    });

    test('look-ups', () => {
      for (let id = 0; id < tokenizer.vocabSize; id++) expect(tokenizer.idOf(tokenizer.tokenOf(id)!)).toBe(id);
      expect(tokenizer.tokenOf(tokenizer.vocabSize)).toBeUndefined();
      expect(tokenizer.special.mask).toBe(tokenizer.vocabSize - 1);
    });
  });

  test('writes the files the reference writes', () => {
    const files = slow.files();
    expect([...files.keys()].sort()).toEqual([
      MODEL_FILE,
      'special_tokens_map.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    expect(files.get(MODEL_FILE)).toEqual(model);
    expect(files.get('tokenizer_config.json')).toBe(
      readFileSync(join(FIXTURES, family, 'tokenizer_config.json'), 'utf8'),
    );
    // All tokens are described here, where the reference writes those that it was given as strings so.
    expect(contents(JSON.parse(files.get('special_tokens_map.json') as string))).toEqual(
      contents(read(`${family}/special_tokens_map.json`)),
    );
    for (const tokenizer of [slow, fast])
      expect(JSON.parse(tokenizer.files().get('tokenizer.json') as string)).toEqual(serialized);
    expect(fast.files().has(MODEL_FILE)).toBe(false);
  });

  test.each(read<Variant[]>(`${family}/variants.json`).map((variant) => [variant.name, variant] as const))(
    'a folder as people have it: %s',
    (_, variant) => {
      const base =
        variant.base === 'slow'
          ? [[MODEL_FILE, model] as const]
          : [['tokenizer.json', { ...serialized, ...withMap({ ...serialized, ...variant.patch }) }] as const];
      const tokenizer = load(family, [...base, ...Object.entries(variant.files)]);
      // What is saved says the same.
      for (const loaded of [tokenizer, load(family, tokenizer.files())]) {
        expect(loaded.vocabSize).toBe(variant.size);
        expect(loaded.modelMaxLength ?? null).toBe(variant.modelMaxLength);
        expect(loaded.special).toEqual(variant.special);
        for (const [text, ids, cut, decoded, skipped] of variant.cases) {
          expect([text, ...loaded.encode(text)]).toEqual([text, ...ids]);
          expect([text, ...loaded.encode(text, { maxLength: 6 })]).toEqual([text, ...cut]);
          expect(loaded.decode(ids)).toBe(decoded);
          expect(loaded.decode(ids, { skipSpecialTokens: true })).toBe(skipped);
        }
        const { added_tokens } = JSON.parse(loaded.files().get('tokenizer.json') as string) as {
          added_tokens: Variant['added'];
        };
        // Where a token was added twice, the reference tells the flag that it does not use.
        expect(withoutNormalized(added_tokens)).toEqual(withoutNormalized(variant.added));
      }
    },
  );

  test('further special tokens', () => {
    const more = slow.withAddedTokens(['<x>', '<ent>']);
    expect(more.vocabSize).toBe(slow.vocabSize + 1);
    const saved = load(family, more.files());
    for (const tokenizer of [more, saved]) {
      const ids = [...tokenizer.encode('a<x> <ent>', { addSpecialTokens: false })];
      expect(ids.slice(-3).includes(slow.vocabSize)).toBe(true);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true }).trim()).toBe('a');
      expect(tokenizer.encode('')).toEqual(slow.encode(''));
    }
  });

  test('any text and any ids, as Hugging Face’s native library', async () => {
    const native = NativeTokenizer.fromString(JSON.stringify(serialized));
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme' }),
      fc.string(),
      fc.constantFrom(
        ' ',
        '  ',
        '\n',
        '\u3000',
        '\u2581',
        '<mask>',
        '</s>',
        'en_XX',
        '<ent>',
        'the ',
        'ﬁ',
        'e\u0301',
        '\0',
      ),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 10 }),
        fc.array(fc.nat(slow.vocabSize - 1)),
        async (pieces, drawn) => {
          const text = pieces.join('');
          const ids = [...fast.encode(text)];
          expect(ids).toEqual((await native.encode(text)).getIds());
          expect(fast.decode(ids, { skipSpecialTokens: true })).toBe(await native.decode(ids, true));
          expect(fast.decode(drawn)).toBe(await native.decode(drawn, false));
        },
      ),
      { numRuns: 500, seed: 1 },
    );
  });
});

describe('texts without end', () => {
  const { slow } = families[2]!;
  test.each([
    ['words', 'the returned list '.repeat(60_000)],
    ['one word', 'theretu'.repeat(150_000)],
    ['spaces', ' '.repeat(1_000_000)],
    ['masks', ' <mask>'.repeat(150_000)],
    ['marks', `a${'\u0301'.repeat(300_000)}`],
    ['unknown characters', '龘'.repeat(300_000)],
  ])('a megabyte of %s', (_, text) => {
    const start = process.cpuUsage();
    slow.encode(text);
    // Something quadratic would take minutes.
    expect(process.cpuUsage(start).user).toBeLessThan(5e6);
  });
});
