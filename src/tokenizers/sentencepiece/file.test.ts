import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type PieceType,
  parseSentencePiece,
  SENTENCE_PIECE_DEFAULTS,
  SentencePieceModel,
  serializeSentencePiece,
} from './index.js';

const FIXTURES = new URL('../../../tests/fixtures/tokenizers/sentencepiece/', import.meta.url).pathname;
const bytesOf = (name: string) => readFileSync(join(FIXTURES, `${name}.model`));

describe('files', () => {
  test.each(['unigram', 'unigram-rules', 'unigram-suffix', 'bpe-bytes', 'bpe-unused', 'char', 'word'])(
    'written and read again: %s',
    (name) => {
      const file = parseSentencePiece(bytesOf(name), name);
      expect(parseSentencePiece(serializeSentencePiece(file), name)).toEqual(file);
    },
  );

  test('any file, written and read again', () => {
    const types: PieceType[] = ['normal', 'unknown', 'control', 'userDefined', 'unused', 'byte'];
    const piece = fc.record({
      piece: fc.string({ unit: 'binary' }),
      score: fc.float({ noNaN: true }),
      type: fc.constantFrom(...types),
    });
    const special = fc.record({ id: fc.integer({ min: -1, max: 1 << 20 }), piece: fc.string({ minLength: 1 }) });
    const normalizer = fc.record({
      name: fc.string(),
      precompiledCharsmap: fc.uint8Array(),
      addDummyPrefix: fc.boolean(),
      removeExtraWhitespaces: fc.boolean(),
      escapeWhitespaces: fc.boolean(),
    });
    const file = fc.record(
      {
        pieces: fc.array(piece, { minLength: 1 }),
        model: fc.constantFrom('unigram', 'bpe', 'word', 'char'),
        byteFallback: fc.boolean(),
        unkSurface: fc.string(),
        treatWhitespaceAsSuffix: fc.boolean(),
        specials: fc.record({ unk: special, bos: special, eos: special, pad: special }),
        normalizer,
        denormalizer: normalizer,
      },
      {
        requiredKeys: [
          'pieces',
          'model',
          'byteFallback',
          'unkSurface',
          'treatWhitespaceAsSuffix',
          'specials',
          'normalizer',
        ],
      },
    );
    fc.assert(
      fc.property(file, (any) => {
        expect(parseSentencePiece(serializeSentencePiece(any), 'x')).toEqual(any);
      }),
      { numRuns: 200, seed: 8 },
    );
  });
});

describe('damage', () => {
  const whole = bytesOf('bpe');
  const load = (bytes: Uint8Array) => new SentencePieceModel(parseSentencePiece(bytes, 'source.spm'));
  const errorOf = (work: () => unknown): string => {
    try {
      work();
    } catch (error) {
      return String(error);
    }
    return '';
  };

  test.each([
    ['nothing', Buffer.alloc(0), /source\.spm is empty/],
    ['cut in a piece', whole.subarray(0, 1001), /announced at byte \d+, but \d+ are left.*damaged/],
    ['zeros', Buffer.alloc(64), /no field begins at byte 0/],
    ['JSON', Buffer.from('{"model": {"type": "BPE"}}'), /source\.spm: .*not a SentencePiece model/],
    ['text', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), /source\.spm.*not a SentencePiece model/],
    ['a number without end', Buffer.alloc(32, 0xff), /has no end/],
    ['no pieces', serializeSentencePiece(SENTENCE_PIECE_DEFAULTS), /no pieces/],
  ])('%s', (_, bytes, message) => {
    expect(() => load(bytes)).toThrow(message);
  });

  const piece = (text: string, type: PieceType) => ({ piece: text, score: 0, type });
  const unk = piece('<unk>', 'unknown');
  test.each([
    ['no unknown piece', { pieces: [piece('a', 'normal')] }, /has 0 unknown pieces/],
    ['two of them', { pieces: [unk, piece('?', 'unknown'), piece('a', 'normal')] }, /has 2 unknown pieces/],
    ['a piece twice', { pieces: [unk, piece('a', 'normal'), piece('a', 'userDefined')] }, /"a" twice, as 1 and 2/],
    ['an empty piece', { pieces: [unk, piece('', 'normal')] }, /no text for piece 1/],
    ['nothing for texts', { pieces: [unk] }, /none that a text is made of/],
    ['few bytes', { pieces: [unk, piece('a', 'normal'), piece('<0x00>', 'byte')], byteFallback: true }, /1 of the 256/],
    ['a wrong byte', { pieces: [unk, piece('a', 'normal'), piece('<0>', 'byte')], byteFallback: true }, /called "<0>"/],
    ['unused bytes', { pieces: [unk, piece('a', 'normal'), piece('<0x00>', 'byte')] }, /does not use bytes/],
    [
      'a broken map',
      {
        pieces: [unk, piece('a', 'normal')],
        normalizer: { ...SENTENCE_PIECE_DEFAULTS.normalizer, precompiledCharsmap: Uint8Array.of(9, 0, 0, 0, 1) },
      },
      /map of 5 bytes says that 9/,
    ],
  ])('%s', (_, broken, message) => {
    expect(() => new SentencePieceModel({ ...SENTENCE_PIECE_DEFAULTS, ...broken })).toThrow(message);
  });

  test('anywhere: an error of ours, or a model that works', () => {
    const texts = ['Hello world', ' <mask> über 世界', '\0☃ 👍'];
    const check = (bytes: Uint8Array) => {
      const message = errorOf(() => {
        const model = load(bytes);
        for (const text of texts) model.decode(model.encodePieces(text));
      });
      expect(message).toMatch(/^$|^\w*Error: tokenizer: /);
    };
    const small = bytesOf('char');
    for (let end = 0; end < small.length; end += 7) check(small.subarray(0, end));
    const changes = fc.array(fc.tuple(fc.nat({ max: small.length - 1 }), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(changes, (changed) => {
        const bytes = Uint8Array.from(small);
        for (const [at, byte] of changed) bytes[at] = byte;
        check(bytes);
      }),
      { numRuns: 500, seed: 9 },
    );
  });
});
