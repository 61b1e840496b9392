/** Protocol Buffers' wire format, as far as messages are written: a field is its number and kind, then its content. */
type Bytes = Uint8Array;

const VARINT = 0;
const DOUBLE = 1;
const LENGTH = 2;
const FLOAT = 5;

/** Seven bits to a byte, lowest first, the eighth says that more follow. For whole numbers from 0 to 2⁵³. */
function varint(value: number): Bytes {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Uint8Array.of(...bytes, rest);
}

const key = (field: number, kind: number) => varint(field * 8 + kind);

export function message(...fields: readonly Bytes[]): Bytes {
  return Buffer.concat(fields);
}

export function integer(field: number, value: number): Bytes {
  return message(key(field, VARINT), varint(value));
}

export function double(field: number, value: number): Bytes {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setFloat64(0, value, true);
  return message(key(field, DOUBLE), new Uint8Array(bytes.buffer));
}

export function float(field: number, value: number): Bytes {
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setFloat32(0, value, true);
  return message(key(field, FLOAT), new Uint8Array(bytes.buffer));
}

/** A text, bytes, or a message within a message. */
export function content(field: number, value: string | Bytes): Bytes {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return message(key(field, LENGTH), varint(bytes.length), bytes);
}
