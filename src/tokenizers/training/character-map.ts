import { dartsUnits } from './darts.js';

const encoder = new TextEncoder();
/** Made once: all of Unicode takes a fifth of a second. */
const made = new Map<boolean, Uint8Array>();

/**
 * A `precompiled_charsmap` (its format is in `sentencepiece/charsmap.ts`) that normalises texts as NFKC does, makes one kind of
 * white space and drops control characters: what SentencePiece's own `nmt_nfkc` is for, whose map is not to be had without it.
 */
export function characterMap(lowercase: boolean): Uint8Array {
  let map = made.get(lowercase);
  if (!map) {
    map = mapOf(rules(lowercase));
    made.set(lowercase, map);
  }
  return map;
}

function mapOf(replaced: ReadonlyMap<string, string>): Uint8Array {
  const starts = new Map<string, number>();
  const replacements: Uint8Array[] = [];
  const places = new Map<string, number>();
  let size = 0;
  for (const [from, to] of replaced) {
    let place = places.get(to);
    if (place === undefined) {
      const bytes = encoder.encode(`${to}\0`);
      replacements.push(bytes);
      places.set(to, size);
      place = size;
      size += bytes.length;
    }
    starts.set(from, place);
  }
  const units = dartsUnits(starts);
  const head = Buffer.alloc(4 + 4 * units.length);
  head.writeUInt32LE(4 * units.length);
  for (const [i, unit] of units.entries()) head.writeInt32LE(unit, 4 + 4 * i);
  return Buffer.concat([head, ...replacements]);
}

/** What is replaced by what: characters, and sequences of a character and its marks that are one character. */
function rules(lowercase: boolean): Map<string, string> {
  const found = new Map<string, string>();
  const add = (from: string): void => {
    const composed = from.normalize('NFKC');
    const to = lowercase ? composed.toLowerCase() : composed;
    if (to !== from) found.set(from, to);
  };
  for (let point = 1; point < 0x110000; point++) {
    if (point >= 0xd800 && point < 0xe000) continue;
    const character = String.fromCodePoint(point);
    add(character);
    const apart = [...character.normalize('NFD')];
    const last = apart.pop()!;
    if (apart.length === 0) continue;
    add(apart.join('') + last);
    // Where some of the marks are composed already.
    add(apart.join('').normalize('NFC') + last);
  }
  for (let point = 1; point <= 0x3000; point++) {
    const character = String.fromCodePoint(point);
    if (character === ' ') continue;
    if (/\p{White_Space}/u.test(character)) found.set(character, ' ');
    else if (/\p{Cc}/u.test(character)) found.set(character, '');
  }
  return found.set('\ufeff', '');
}
