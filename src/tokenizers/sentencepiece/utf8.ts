/** Bytes of the character that begins with this byte, in UTF-8 that is valid. */
export function characterLength(first: number): number {
  return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/** Least and most code points of a character of so many bytes. */
const RANGES = [
  [0, 0],
  [0, 0x7f],
  [0x80, 0x7ff],
  [0x800, 0xffff],
  [0x10000, 0x10ffff],
] as const;

/**
 * Bytes as text, U+FFFD in place of every single byte that begins no whole character. (The web's decoders put one for
 * as many bytes as could have become a character.)
 */
export function decodeBytewise(bytes: readonly number[]): string {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const length = characterLength(bytes[i]!);
    const point = pointAt(bytes, i, length);
    text += point === undefined ? '\ufffd' : String.fromCodePoint(point);
    i += point === undefined ? 1 : length;
  }
  return text;
}

function pointAt(bytes: readonly number[], start: number, length: number): number | undefined {
  const first = bytes[start]!;
  if (length === 1) return first < 0x80 ? first : undefined;
  if (first >= 0xf8) return undefined;
  let point = first & (0x7f >> length);
  for (let i = start + 1; i < start + length; i++) {
    const byte = bytes[i];
    if (byte === undefined || (byte & 0xc0) !== 0x80) return undefined;
    point = (point << 6) | (byte & 0x3f);
  }
  const [least, most] = RANGES[length]!;
  const isSurrogate = point >= 0xd800 && point < 0xe000;
  return point < least || point > most || isSurrogate ? undefined : point;
}
