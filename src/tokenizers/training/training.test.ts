import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Seq2SeqError } from '../../errors.js';
import { createByteLevelBpe } from '../byte-level-bpe.js';
import { parseSentencePiece, SENTENCE_PIECE_DEFAULTS, SentencePieceModel } from '../sentencepiece/index.js';
import { Normalizer } from '../sentencepiece/normalizer.js';
import { trainByteLevelBpe } from './byte-level-bpe.js';
import { characterMap } from './character-map.js';
import { resolveTrainingOptions, type TokenizerFiles, type TokenizerTrainingOptions } from './options.js';
import { trainSentencePiece } from './sentencepiece.js';
import { trainTokenizer } from './train.js';
import { trainWordPiece } from './wordpiece.js';

function fixture(name: string): string {
  return readFileSync(new URL(`../../../tests/fixtures/tokenizers/trained/${name}`, import.meta.url), 'utf8');
}

const corpus = fixture('corpus.txt').split('\n').slice(0, -1);
const quiet = { onWarning: () => {} };
const files = {
  bpe: (texts: readonly string[], options: Partial<TokenizerTrainingOptions>) =>
    trainByteLevelBpe(texts, resolveTrainingOptions({ type: 'bpe', vocabSize: 300, ...quiet, ...options })),
  wordpiece: (texts: readonly string[], options: Partial<TokenizerTrainingOptions>) =>
    trainWordPiece(texts, resolveTrainingOptions({ type: 'wordpiece', vocabSize: 300, ...quiet, ...options })),
  unigram: (texts: readonly string[], options: Partial<TokenizerTrainingOptions>) =>
    trainSentencePiece(texts, resolveTrainingOptions({ type: 'unigram', vocabSize: 300, ...quiet, ...options })),
};
const vocabularyOf = (trained: TokenizerFiles, name = 'vocab.json') =>
  JSON.parse(String(trained.get(name))) as Record<string, number>;
const tokensOf = (vocab: Record<string, number>) => Object.keys(vocab).sort((a, b) => vocab[a]! - vocab[b]!);
const shuffled = <T>(items: readonly T[]) => items.map((_, i) => items[(7919 * i) % items.length]!);

describe('byte-level BPE', () => {
  const cases = JSON.parse(fixture('bpe.json')) as {
    vocabSize: number;
    minFrequency: number;
    merges: string[];
    vocab: string[];
  }[];

  it.each(cases)(
    "merges what Hugging Face's trainer merges, to $vocabSize tokens met $minFrequency times",
    async ({ merges, vocab, ...options }) => {
      const trained = await files.bpe(corpus, options);
      expect(String(trained.get('merges.txt')).split('\n').slice(1, -1)).toEqual(merges);
      const tokens = tokensOf(vocabularyOf(trained));
      expect(tokens.slice(0, 4)).toEqual(['<s>', '<pad>', '</s>', '<unk>']);
      expect(tokens.slice(260)).toEqual([...vocab, '<mask>']);
    },
  );

  it('makes a tokenizer that gives every text back', async () => {
    const tokenizer = await trainTokenizer(corpus, { type: 'bpe', vocabSize: 800 });
    expect(tokenizer.vocabSize).toBe(800);
    expect(tokenizer.special).toMatchObject({ bos: 0, pad: 1, eos: 2, unk: 3, mask: 799 });
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text, { addSpecialTokens: false }))).toBe(text);
      }),
    );
  });
});

describe('WordPiece', () => {
  const cases = JSON.parse(fixture('wordpiece.json')) as {
    vocabSize: number;
    minFrequency: number;
    lowercase: boolean;
    vocab: string[];
  }[];

  it.each(cases)(
    "has the tokens of Hugging Face's trainer, $vocabSize with lowercase $lowercase",
    async ({ vocab, ...options }) => {
      const trained = await files.wordpiece(corpus, options);
      expect(String(trained.get('vocab.txt')).split('\n').slice(0, -1)).toEqual(vocab);
      expect(vocabularyOf(trained, 'tokenizer_config.json')).toEqual({
        tokenizer_class: 'BertTokenizer',
        do_lower_case: options.lowercase,
      });
    },
  );

  it('has capitals and accents only where they are kept', async () => {
    const options = { vocabSize: 60 };
    const texts = Array<string>(3).fill('Ärger ärgert den ΣΊΣΥΦΟΣ');
    const vocabulary = async (lowercase: boolean) =>
      String((await files.wordpiece(texts, { ...options, lowercase })).get('vocab.txt')).split('\n');
    expect(await vocabulary(false)).toEqual(expect.arrayContaining(['Ä', 'ä', '##Ί']));
    const lowered = await vocabulary(true);
    expect(lowered).toEqual(expect.arrayContaining(['a', 'σ', '##σ']));
    expect(lowered.filter((token) => /[Ääς]/.test(token))).toEqual([]);
  });
});

describe('unigram', () => {
  const cases = JSON.parse(fixture('unigram.json')) as {
    pieces: number;
    expected: { tokens: number; score: number; unknown: number; pieces: string[] };
  }[];

  it.each(cases)(
    "makes the texts as likely as SentencePiece's own model of $pieces pieces",
    async ({ pieces, expected }) => {
      const trained = await files.unigram(corpus, { vocabSize: pieces });
      const model = modelOf(trained);
      expect(model.pieces).toHaveLength(pieces);
      const ids = corpus.flatMap((line) => model.encode(line));
      const known = ids.filter((id) => id !== model.unkId);
      const score = known.reduce((sum, id) => sum + model.pieces[id]!.score, 0);
      expect(ids.length - known.length).toBe(expected.unknown);
      // Scores are negative: of a token, and of all the texts, at most a percent below SentencePiece's.
      const perToken = expected.score / (expected.tokens - expected.unknown);
      expect(score / known.length / perToken).toBeLessThan(1.01);
      expect(score / expected.score).toBeLessThan(1.01);
      const common = expected.pieces.filter((piece) => model.pieceToId(piece) !== undefined);
      expect(common.length / expected.pieces.length).toBeGreaterThan(0.8);
    },
  );

  it('normalises as NFKC, with one kind of white space, and lowers capitals if asked to', () => {
    const spec = { ...SENTENCE_PIECE_DEFAULTS.normalizer, addDummyPrefix: false, removeExtraWhitespaces: false };
    for (const lowercase of [false, true]) {
      const map = characterMap(lowercase);
      // Python's release refuses a map whose index begins with an offset of zero.
      expect(Buffer.from(map).readUInt32LE(4) >>> 10).toBeGreaterThan(0);
      const normalizer = new Normalizer({ ...spec, escapeWhitespaces: false, precompiledCharsmap: map });
      const normalized = (text: string) => {
        const { bytes, length } = normalizer.normalize(text);
        return Buffer.from(bytes.subarray(0, length)).toString();
      };
      for (let point = 33; point < 0x110000; point++) {
        const character = String.fromCodePoint(point);
        if (/[\p{White_Space}\p{Cc}\p{Cs}\ufeff]/u.test(character)) continue;
        const composed = character.normalize('NFKC');
        const expected = lowercase ? composed.toLowerCase() : composed;
        for (const form of new Set([character, character.normalize('NFC'), character.normalize('NFD')]))
          if (normalized(form) !== expected) expect(normalized(form), `U+${point.toString(16)}`).toBe(expected);
      }
      expect(normalized('a\u00a0b\t\u3000c\r\n\0\u0001d\ufeff')).toBe('a b  c  \0d');
    }
  });

  it('takes capitals as small letters if asked to', async () => {
    const model = modelOf(await files.unigram(corpus, { vocabSize: 2000, lowercase: true }));
    expect(model.pieces.filter(({ piece, type }) => type === 'normal' && /\p{Lu}/u.test(piece))).toEqual([]);
    expect(model.encode('THE Größe É')).toEqual(model.encode('the größe e\u0301'));
  });

  it('keeps scripts, digits and words apart', async () => {
    const model = modelOf(await files.unigram(corpus, { vocabSize: 3000 }));
    for (const { piece } of model.pieces.slice(3)) {
      expect(piece.slice(1)).not.toContain('\u2581');
      expect(piece).not.toMatch(/[a-z][0-9]|[0-9][a-z]|[a-z]\p{Script=Han}|[.,()][a-z]/u);
      expect([...piece].length).toBeLessThanOrEqual(16);
    }
  });

  it("has Marian's files, with one vocabulary or two", async () => {
    const joint = await files.unigram(corpus, { vocabSize: 2000 });
    expect([...joint.keys()]).toEqual(['source.spm', 'target.spm', 'vocab.json', 'tokenizer_config.json']);
    const tokens = tokensOf(vocabularyOf(joint));
    expect(tokens).toHaveLength(2000);
    expect([tokens[0], tokens[1], tokens.at(-1)]).toEqual(['</s>', '<unk>', '<pad>']);
    expect(tokens.slice(2, -1)).toEqual(
      modelOf(joint)
        .pieces.slice(3)
        .map(({ piece }) => piece),
    );

    const separate = await files.unigram(Array(5).fill('one two three'), {
      vocabSize: 20,
      targetTexts: Array(5).fill('eins zwei drei'),
    });
    expect(Object.keys(vocabularyOf(separate))).toContain('▁');
    expect(vocabularyOf(separate, 'target_vocab.json')).toHaveProperty('z');
    expect(vocabularyOf(separate)).not.toHaveProperty('z');
    expect(vocabularyOf(separate, 'tokenizer_config.json')).toHaveProperty('separate_vocabs', true);
  });

  it('takes a text that is one long word', async () => {
    const text = 'ab\u{1f600}'.repeat(20_000);
    const model = modelOf(await files.unigram([text], { vocabSize: 50 }));
    expect(model.decode(model.encodePieces(text)) === text).toBe(true);
    // A space, and of each part the letters and the sign.
    expect(model.encode(text)).toHaveLength(40_001);
  });

  it.each([
    ['mbart', 30],
    ['mbart50', 57],
    ['camembert', 8],
  ] as const)('leaves room for the special tokens of %s', async (modelType, others) => {
    const trained = await files.unigram(corpus, { vocabSize: 2100, modelType });
    expect(parsed(trained, 'sentencepiece.bpe.model').pieces).toHaveLength(2100 - others + 3);
  });
});

describe('training', () => {
  it.each(['bpe', 'wordpiece', 'unigram'] as const)('of %s does not depend on the order of the texts', async (type) => {
    const options = { vocabSize: 2600 };
    expect(await files[type](shuffled(corpus), options)).toEqual(await files[type](corpus, options));
  });

  it('reads texts as they come', async () => {
    async function* stream() {
      yield* corpus;
    }
    const streamed = await trainTokenizer(stream(), { type: 'bpe', vocabSize: 500 });
    const listed = await trainTokenizer(corpus, { type: 'bpe', vocabSize: 500 });
    expect(streamed.files()).toEqual(listed.files());
  });

  it.each(['bpe', 'wordpiece', 'unigram'] as const)(
    'of %s gives fewer tokens if there are no more, and says so',
    async (type) => {
      const warnings: string[] = [];
      await files[type](['one two two three three three'], {
        vocabSize: 1000,
        onWarning: (message) => warnings.push(message),
      });
      expect(warnings).toEqual([
        expect.stringMatching(/^tokenizer: the vocabulary has \d+ tokens, not 1000: .* Give more/),
      ]);
    },
  );

  it.each([
    ['bpe', 200, 'a vocabulary of 200 is too small: the 256 bytes and 5 special ones are 261 tokens.'],
    [
      'wordpiece',
      9,
      'a vocabulary of 9 is too small: 3 characters in front of words, 2 inside and 5 special ones are 10',
    ],
    ['unigram', 6, 'a vocabulary of 6 is too small: 4 characters and 3 special ones are 7 tokens.'],
  ] as const)('of %s needs room for the alphabet', async (type, vocabSize, message) => {
    const work = files[type](['abc', 'abc'], { vocabSize });
    await expect(work).rejects.toThrow(message);
    await expect(work).rejects.toThrow(Seq2SeqError);
  });

  it('refuses texts without words, and what is no text', async () => {
    for (const type of ['bpe', 'wordpiece', 'unigram'] as const) {
      await expect(files[type]([''], {})).rejects.toThrow('tokenizer: the 1 texts to train on have no words');
      await expect(files[type]('abc' as unknown as string[], {})).rejects.toThrow(
        'the texts to train on are one string',
      );
      await expect(files[type](['a', 7 as unknown as string], {})).rejects.toThrow('text 1 to train on is 7');
    }
  });

  it.each([
    [{ type: 'bppe' as 'bpe' }, 'the type is "bppe". Choose bpe, wordpiece, unigram.'],
    [{ modelType: 'bert' }, 'a bert has no bpe tokenizer. Model types of bpe: bart, roberta.'],
    [{ vocabSize: 0 }, 'the vocabulary size is 0.'],
    [{ vocabSize: 300.5 }, 'the vocabulary size is 300.5.'],
    [{ minFrequency: 0 }, 'the least frequency is 0.'],
    [{ lowercase: true }, 'a bpe tokenizer keeps capitals.'],
    [{ targetTexts: [] }, 'a bart has one tokenizer for both sides.'],
    [{ type: 'unigram', minFrequency: 2 }, 'a least frequency is for bpe and wordpiece'],
  ] as const)('refuses %j', async (options, message) => {
    const work = trainTokenizer(['a'], { type: 'bpe', vocabSize: 300, ...options });
    await expect(work).rejects.toThrow(`tokenizer: ${message}`);
  });

  it('takes any texts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 8 }), async (texts) => {
        const words = ['a', ...texts];
        const trained = await files.unigram(words, { vocabSize: 500 });
        const model = modelOf(trained);
        for (const text of words) expect(() => model.encode(text)).not.toThrow();
        await files.wordpiece(words, { vocabSize: 500 });
        const { vocab, merges } = parts(await files.bpe(words, { vocabSize: 300 }));
        const tokenizer = createByteLevelBpe({ vocab, merges });
        for (const text of words)
          expect(tokenizer.decode(tokenizer.encode(text, { addSpecialTokens: false }))).toBe(
            Buffer.from(text).toString(),
          );
      }),
      { numRuns: 50 },
    );
  });
});

function parsed(trained: TokenizerFiles, name = 'source.spm') {
  return parseSentencePiece(trained.get(name) as Uint8Array, name);
}

function modelOf(trained: TokenizerFiles): SentencePieceModel {
  return new SentencePieceModel(parsed(trained));
}

function parts(trained: TokenizerFiles) {
  const lines = String(trained.get('merges.txt')).split('\n').slice(1, -1);
  return { vocab: vocabularyOf(trained), merges: lines.map((line) => line.split(' ') as [string, string]) };
}
