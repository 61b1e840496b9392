import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from './load.js';
import { memorySource } from './source.js';
import type { Tokenizer } from './tokenizer.js';

type Files = Map<string, string | Uint8Array>;
type Texts = [plain: string, skipped: string, cleaned: string];
interface Expected {
  tokens: number;
  special: object;
  cases: [source: number[], target: number[], ...Texts][];
  decoded: [ids: number[], ...Texts][];
}

const fixtures = fileURLToPath(new URL('../../tests/fixtures/tokenizers/marian', import.meta.url));
const json = (...path: string[]) => JSON.parse(readFileSync(join(fixtures, ...path), 'utf8'));
const texts: { plain: string[]; touching: string[] } = json('texts.json');

/** The files of a folder, over those of another. */
function filesOf(name: string, under: Files = new Map()): Files {
  const files = new Map(under);
  if (under.size > 0) files.delete('tokenizer_config.json');
  for (const file of readdirSync(join(fixtures, name))) {
    if (file !== 'cases.json') files.set(file, readFileSync(join(fixtures, name, file)));
  }
  return files;
}

const CODES = ['>>fra<<', '>>deu<<', '>>zh_Hans<<'];
const joint = filesOf('joint');
const separate = filesOf('separate');
const variants: [name: string, files: Files, texts: string[]][] = [
  ['joint', joint, texts.plain],
  ['separate', separate, texts.plain],
  ['added', filesOf('added', joint), texts.touching],
  ['legacy', filesOf('legacy', joint), texts.touching],
];

const load = (files: Files): Tokenizer => loadTokenizer(memorySource(files), 'marian');
const saved = (tokenizer: Tokenizer): Tokenizer => loadTokenizer(memorySource(tokenizer.files()), 'marian');
const without = (files: Files, ...names: string[]): Files =>
  new Map([...files].filter(([name]) => !names.includes(name)));
const config = (files: Files, settings: object): Files =>
  new Map([...files, ['tokenizer_config.json', JSON.stringify(settings)]]);

function decodings(tokenizer: Tokenizer, ids: ArrayLike<number>): Texts {
  return [
    tokenizer.decode(ids),
    tokenizer.decode(ids, { skipSpecialTokens: true }),
    tokenizer.decode(ids, { cleanUpTokenizationSpaces: true }),
  ];
}

describe.each(variants)('the reference’s answers: %s', (name, files, inputs) => {
  const expected: Expected = json(name, 'cases.json');
  describe.each([
    ['loaded', load(files)],
    ['saved and loaded', saved(load(files))],
  ])('%s', (_, tokenizer) => {
    it('has its tokens', () => {
      expect(tokenizer.vocabSize).toBe(expected.tokens);
      expect(tokenizer.special).toMatchObject(expected.special);
    });

    it('makes its ids and texts', () => {
      const actual = inputs.map((text) => {
        const target = tokenizer.encode(text, { target: true });
        return [text, [...tokenizer.encode(text)], [...target], ...decodings(tokenizer, target)];
      });
      expect(actual).toEqual(expected.cases.map((row, i) => [inputs[i], ...row]));
    });

    it('makes its texts of arbitrary ids', () => {
      const actual = expected.decoded.map(([ids]) => [ids, ...decodings(tokenizer, ids)]);
      expect(actual).toEqual(expected.decoded);
    });
  });
});

describe('any text', () => {
  const piece = fc.constantFrom(
    '>>',
    '<<',
    '>>fra<<',
    '>>deu<<',
    '\n',
    '\r',
    ' ',
    'the',
    '</s>',
    '<pad>',
    '▁',
    '中',
    '😀',
  );
  const anyText = fc
    .array(fc.oneof(piece, fc.string({ unit: 'binary', maxLength: 5 })), { maxLength: 12 })
    .map((parts) => parts.join(''));
  const eachTokenizer = (check: (tokenizer: Tokenizer, text: string) => void) => {
    for (const tokenizer of [load(joint), load(separate)]) {
      fc.assert(
        fc.property(anyText, (text) => check(tokenizer, text)),
        { seed: 3 },
      );
    }
  };

  it('loses its language codes, but for one in front', () => {
    eachTokenizer((tokenizer, given) => {
      // A code is sought between special tokens.
      const text = given.replaceAll(/<\/s>|<pad>|<unk>/g, '?');
      const [code] = /^>>[^\n]+<</.exec(text) ?? [];
      const { unk } = tokenizer.special;
      const front = code === undefined ? [] : [CODES.includes(code) ? (tokenizer.idOf(code) ?? unk) : unk];
      const rest = [...tokenizer.encode(text.replaceAll(/>>[^\n]+<</g, ''))];
      // What is left may be a code in turn, which would then go as well.
      fc.pre(!/>>[^\n]+<</.test(text.replaceAll(/>>[^\n]+<</g, '')));
      expect([...tokenizer.encode(text)]).toEqual([...front, ...rest]);
    });
  });

  it('is cut from the end, or else from the start, and ends with </s>', () => {
    const fromStart = config(joint, { truncation_side: 'left' });
    const left = load(fromStart);
    eachTokenizer((tokenizer, text) => {
      const whole = [...tokenizer.encode(text)];
      expect(whole.at(-1)).toBe(0);
      expect([...tokenizer.encode(text, { addSpecialTokens: false })]).toEqual(whole.slice(0, -1));
      const maxLength = Math.max(1, whole.length - 3);
      expect([...tokenizer.encode(text, { maxLength })]).toEqual([...whole.slice(0, maxLength - 1), 0]);
      const all = [...left.encode(text)];
      expect([...left.encode(text, { maxLength: 3 })]).toEqual(all.slice(-3));
    });
  });

  it('has ids that the vocabulary of its side has', () => {
    eachTokenizer((tokenizer, text) => {
      for (const target of [false, true]) {
        const ids = tokenizer.encode(text, { target });
        const size = (target && tokenizer.targetVocabSize) || tokenizer.vocabSize;
        expect(ids.every((id) => id < size)).toBe(true);
      }
    });
  });
});

describe('vocabularies', () => {
  it('of both sides: answers are of the target’s', () => {
    const tokenizer = load(separate);
    const { '▁the': id } = json('separate', 'target_vocab.json');
    expect(json('separate', 'vocab.json')['▁the']).not.toBe(id);
    expect(tokenizer.idOf('▁the')).toBe(id);
    expect(tokenizer.tokenOf(id)).toBe('▁the');
    expect(tokenizer.targetVocabSize).toBeGreaterThan(tokenizer.special.pad!);
    expect(load(joint).targetVocabSize).toBeUndefined();
  });

  it('have 512 tokens a text, unless the files say otherwise', () => {
    expect(load(config(joint, {})).modelMaxLength).toBe(512);
    expect(load(config(joint, { model_max_length: 77 })).modelMaxLength).toBe(77);
    expect(load(config(joint, { model_max_length: 1e30 })).modelMaxLength).toBeUndefined();
    expect(load(without(joint, 'tokenizer_config.json')).modelMaxLength).toBe(512);
  });
});

describe('further special tokens', () => {
  const before = load(joint);
  const after = before.withAddedTokens({ additional_special_tokens: ['>>fra<<', '<new>'], eos_token: '<end>' });

  it.each([
    ['added', after],
    ['saved and loaded', saved(after)],
  ])('%s', (_, tokenizer) => {
    const { vocabSize } = before;
    expect(tokenizer.vocabSize).toBe(vocabSize + 2);
    const end = tokenizer.idOf('<end>')!;
    expect(tokenizer.special).toEqual({ ...before.special, eos: end });
    const ids = tokenizer.encode('the <new>the</s> >>fra<< the', { target: true });
    const the = before.idOf('▁the')!;
    expect([...ids]).toEqual([the, tokenizer.idOf('<new>'), the, 0, before.idOf('>>fra<<'), the, end]);
    expect(tokenizer.decode(ids)).toBe('the <new> the </s> >>fra<< the<end>');
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('the the </s> the');
  });

  it('keep the models and vocabularies as they are', () => {
    for (const files of [joint, separate]) {
      const kept = load(files).withAddedTokens(['<new>']).files();
      const names = [...files.keys()].filter((name) => name !== 'tokenizer_config.json');
      expect(names.map((name) => Buffer.from(kept.get(name)!))).toEqual(
        names.map((name) => Buffer.from(files.get(name)!)),
      );
    }
  });

  it('leave the unknown and the padding token in the vocabulary', () => {
    expect(() => before.withAddedTokens({ unk_token: '<u>' })).toThrow('lacks the unk_token, "<u>"');
    expect(() => before.withAddedTokens({ pad_token: '<p>' })).toThrow('lacks the pad_token, "<p>"');
  });
});

describe('refuses', () => {
  const bytes = new Uint8Array([1]);
  const cases: [what: string, files: Files, message: RegExp][] = [
    [
      'BPE preprocessing',
      new Map([...without(joint, 'source.spm', 'target.spm'), ['source.bpe', bytes]]),
      /source\.bpe.*Use/,
    ],
    ['no models', without(joint, 'source.spm', 'target.spm'), /has no source\.spm and no target\.spm\. .*vocab\.json/],
    ['tokenizer.json alone', new Map([['tokenizer.json', '{}']]), /no source\.spm.* A tokenizer\.json does not/],
    ['no vocabulary', without(joint, 'vocab.json'), /has no vocab\.json/],
    ['no vocabulary of a side', without(separate, 'target_vocab.json'), /has no target_vocab\.json/],
    ['damaged models', new Map([...joint, ['target.spm', bytes]]), /target\.spm/],
    ['empty models', new Map([...joint, ['source.spm', new Uint8Array()]]), /source\.spm is empty/],
    ['vocabularies that are none', new Map([...joint, ['vocab.json', '["a"]']]), /vocab\.json: the whole/],
    [
      'vocabularies without <unk>',
      new Map([...joint, ['vocab.json', '{"</s>":0,"<pad>":1}']]),
      /vocab\.json lacks.*"<unk>"/,
    ],
    [
      'vocabularies without <pad>',
      new Map([...joint, ['vocab.json', '{"</s>":0,"<unk>":1}']]),
      /vocab\.json lacks.*"<pad>"/,
    ],
    [
      'target vocabularies without <unk>',
      new Map([...separate, ['target_vocab.json', '{"a":0}']]),
      /target_vocab\.json lacks/,
    ],
    ['no end token', config(joint, { eos_token: null }), /no eos_token/],
    [
      'pieces at random',
      config(joint, { sp_model_kwargs: { enable_sampling: true } }),
      /sp_model_kwargs\.enable_sampling/,
    ],
    ['settings of another kind', config(joint, { separate_vocabs: 'yes' }), /separate_vocabs is "yes"/],
  ];

  it.each(cases)('%s', (_, files, message) => {
    expect(() => load(files)).toThrow(message);
    expect(() => load(files)).toThrow(/^tokenizer: /);
  });
});
