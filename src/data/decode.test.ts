import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ByteSource, decodeText } from './decode.js';

async function* chunks(bytes: Uint8Array, ...cuts: number[]): ByteSource {
  let start = 0;
  for (const end of [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    yield bytes.subarray(start, end);
    start = end;
  }
}

async function decoded(source: ByteSource, encoding?: string): Promise<string> {
  let text = '';
  for await (const piece of decodeText(source, 'f', encoding)) text += piece;
  return text;
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
const cuts = fc.array(fc.nat(), { maxLength: 5 });

describe('UTF-8', () => {
  test('any text, however it comes in pieces', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), cuts, async (text, places) => {
        const plain = text.replace(/^\ufeff+/, '');
        expect(await decoded(chunks(bytesOf(plain), ...places))).toBe(plain);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  test('a byte order mark is no text, but only at the start', async () => {
    expect(await decoded(chunks(bytesOf('\ufeffa\ufeff'), 1, 2, 3))).toBe('a\ufeff');
    expect(await decoded(chunks(bytesOf('\ufeff')))).toBe('');
    expect(await decoded(chunks(bytesOf('\ufeff\ufeffa')))).toBe('\ufeffa');
  });

  test('any bytes: decoded, or refused where the first malformed sequence begins', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc
        .array(fc.oneof(fc.string({ unit: 'binary' }).map(bytesOf), fc.uint8Array({ maxLength: 3 })), { maxLength: 8 })
        .map((parts) => new Uint8Array(Buffer.concat(parts))),
      fc
        .array(fc.constantFrom(0xef, 0xbf, 0xbd, 0xf0, 0xe2, 0x82, 0xc3, 0xed, 0xa0, 0x0a, 0x41))
        .map((list) => Uint8Array.from(list)),
    );
    await fc.assert(
      fc.asyncProperty(bytes, cuts, async (input, places) => {
        // The longest valid prefix: characters are whole, so it ends where something malformed begins.
        let valid = input.length;
        while (!isUtf8(input.subarray(0, valid))) valid--;
        const result = decoded(chunks(input, ...places));
        if (valid === input.length) {
          expect(await result).toBe(new TextDecoder().decode(input));
          return;
        }
        const line = 1 + input.subarray(0, valid).filter((byte) => byte === 10).length;
        const hex = input[valid]!.toString(16).padStart(2, '0');
        await expect(result).rejects.toThrow(
          `data: f is not valid UTF-8 at byte ${valid}, line ${line} (0x${hex}). Convert it`,
        );
      }),
      { numRuns: 1500, seed: 1 },
    );
  });

  test('a stream of strings is taken as it is', async () => {
    async function* strings() {
      yield '\ufeffa';
      yield 'é';
    }
    expect(await decoded(strings())).toBe('aé');
  });
});

describe('other encodings', () => {
  test.each([
    ['latin-1', [0xff, 0xe9, 0x80], 'ÿé\x80'],
    ['ISO-8859-1', [0x80], '\x80'],
    ['cp1252', [0x80, 0xe9], '€é'],
    ['utf-16', [0xff, 0xfe, 0xe9, 0, 0x3d, 0xd8, 0, 0xde], 'é😀'],
    ['shift_jis', [0x93, 0xfa, 0x96, 0x7b], '日本'],
    ['gbk', [0xd6, 0xd0], '中'],
    ['utf_8_sig', [0xef, 0xbb, 0xbf, 0x61], 'a'],
    ['UTF8', [0xc3, 0xa9], 'é'],
  ])('%s', async (encoding, bytes, text) => {
    const input = Uint8Array.from(bytes);
    expect(await decoded(chunks(input), encoding)).toBe(text);
    expect(await decoded(chunks(input, 1, 2, 3), encoding)).toBe(text);
  });

  test('errors', async () => {
    await expect(decoded(chunks(bytesOf('a')), 'klingon')).rejects.toThrow(
      'data: there is no encoding "klingon". Usual ones: utf-8',
    );
    await expect(decoded(chunks(Uint8Array.of(0x93, 0xfa, 0xff, 0xff)), 'shift_jis')).rejects.toThrow(
      'data: f is not valid shift-jis beyond byte 0',
    );
    await expect(decoded(chunks(Uint8Array.of(0x93)), 'shift_jis')).rejects.toThrow(
      'data: f is not valid shift-jis beyond byte 1',
    );
  });
});
