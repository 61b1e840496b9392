import { fail } from '../../errors.js';

/** What a field holds: a number, or for everything with a length its bytes. */
export type ProtoValue = number | Uint8Array;

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

/** Most bytes of a varint: 64 bits in groups of seven. */
const LONGEST_VARINT = 10;
const FOREIGN = 'It is not a SentencePiece model, or is damaged.';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * The fields of a message in Protocol Buffers' wire format, in the order of the bytes. Varints are their low 32 bits,
 * signed: enough for lengths, booleans and int32, and a negative int32 is written as 64 bits whose low half is itself.
 */
export function* protoFields(bytes: Uint8Array, place: string): Generator<readonly [field: number, ProtoValue]> {
  const reader = new ProtoReader(bytes, place);
  while (reader.position < bytes.length) {
    const start = reader.position;
    const tag = reader.varint();
    const read = READERS[tag & 7];
    if (tag >>> 3 === 0 || read === undefined)
      fail('tokenizer', `${place}: no field begins at byte ${start}. ${FOREIGN}`);
    yield [tag >>> 3, read(reader)];
  }
}

class ProtoReader {
  position = 0;

  constructor(
    readonly bytes: Uint8Array,
    readonly place: string,
  ) {}

  /** Goes on by so many bytes; where they begin. */
  take(length: number): number {
    const start = this.position;
    const left = this.bytes.length - start;
    if (length < 0 || length > left) {
      fail(
        'tokenizer',
        `${this.place}: ${length} bytes are announced at byte ${start}, but ${left} are left. ${FOREIGN}`,
      );
    }
    this.position += length;
    return start;
  }

  view(length: number): DataView {
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + this.take(length), length);
  }

  varint(): number {
    let value = 0;
    for (let i = 0; i < LONGEST_VARINT; i++) {
      const byte = this.bytes[this.take(1)]!;
      if (i < 5) value |= (byte & 127) << (7 * i);
      if (byte < 128) return value;
    }
    return fail('tokenizer', `${this.place}: the number before byte ${this.position} has no end. ${FOREIGN}`);
  }
}

/** By wire type. */
const READERS: Readonly<Record<number, (reader: ProtoReader) => ProtoValue>> = {
  [VARINT]: (reader) => reader.varint(),
  [FIXED64]: (reader) => reader.view(8).getFloat64(0, true),
  [FIXED32]: (reader) => reader.view(4).getFloat32(0, true),
  [LENGTH_DELIMITED]: (reader) => {
    const length = reader.varint();
    const start = reader.take(length);
    return reader.bytes.subarray(start, start + length);
  },
};

/** The value of a field that holds a text, a message or bytes. */
export function bytesOf(value: ProtoValue, what: string): Uint8Array {
  return typeof value === 'number' ? fail('tokenizer', `${what} is a number, not bytes. ${FOREIGN}`) : value;
}

export function textOf(value: ProtoValue, what: string): string {
  return decoder.decode(bytesOf(value, what));
}

export function numberOf(value: ProtoValue, what: string): number {
  return typeof value === 'number' ? value : fail('tokenizer', `${what} is bytes, not a number. ${FOREIGN}`);
}

/** A message in Protocol Buffers' wire format, field by field. */
export class ProtoMessage {
  readonly #parts: Uint8Array[] = [];

  int(field: number, value: number): this {
    this.#varint(field * 8 + VARINT);
    return this.#varint(value);
  }

  float(field: number, value: number): this {
    this.#varint(field * 8 + FIXED32);
    this.#parts.push(new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }

  text(field: number, value: string): this {
    return this.bytes(field, encoder.encode(value));
  }

  bytes(field: number, value: Uint8Array): this {
    this.#varint(field * 8 + LENGTH_DELIMITED);
    this.#varint(value.length);
    this.#parts.push(value);
    return this;
  }

  finish(): Uint8Array {
    const whole = new Uint8Array(this.#parts.reduce((length, part) => length + part.length, 0));
    let position = 0;
    for (const part of this.#parts) {
      whole.set(part, position);
      position += part.length;
    }
    return whole;
  }

  /** Low bits first; a negative number is its 64-bit two's complement, ten bytes. */
  #varint(value: number): this {
    const bytes: number[] = [];
    for (let rest = BigInt.asUintN(64, BigInt(value)); bytes.length === 0 || rest > 0n; rest >>= 7n) {
      bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    }
    this.#parts.push(Uint8Array.from(bytes));
    return this;
  }
}
