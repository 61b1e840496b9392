// LZ4 frames (github.com/lz4/lz4, doc/lz4_Frame_format.md): magic · flags · sizes and checksums that the flags announce · blocks,
// each u32 length and data, until a length of 0. A match may reach back into earlier blocks. Checksums are not verified.

const MAGIC = 0x184d2204;
const CONTENT_SIZE = 0x08;
const DICTIONARY = 0x01;
const BLOCK_CHECKSUM = 0x10;
/** In a block's length: it is stored as it is. */
const STORED = 0x80000000;

/** The bytes of a frame. Throws on one that is broken or cut. */
export function decodeLz4Frame(frame: Uint8Array): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint32(0, true) !== MAGIC) throw new Error('no LZ4 frame');
  const flags = frame[4]!;
  if (flags & DICTIONARY) throw new Error('an LZ4 frame that needs a dictionary');
  let at = 7 + (flags & CONTENT_SIZE ? 8 : 0);
  const output = new Output(4 * frame.length);
  for (;;) {
    const header = view.getUint32(at, true);
    at += 4;
    if (header === 0) return output.bytes();
    const length = header & ~STORED;
    if (at + length > frame.length) throw new Error('an LZ4 frame that is cut off');
    const block = frame.subarray(at, at + length);
    if (header & STORED) output.append(block);
    else decodeBlock(block, output);
    at += length + (flags & BLOCK_CHECKSUM ? 4 : 0);
  }
}

/** Sequences of a token (two lengths of four bits), literals, and a match: its distance back and its length less 4. */
function decodeBlock(block: Uint8Array, output: Output): void {
  let at = 0;
  const length = (start: number): number => {
    let total = start;
    for (let byte = start === 15 ? 255 : 0; byte === 255; total += byte) byte = block[at++] ?? 0;
    return total;
  };
  while (at < block.length) {
    const token = block[at++]!;
    const literals = length(token >> 4);
    output.append(block.subarray(at, at + literals));
    at += literals;
    if (at >= block.length) return;
    const distance = block[at]! | (block[at + 1]! << 8);
    at += 2;
    output.repeat(distance, 4 + length(token & 15));
  }
}

/** Bytes to which more are added. */
class Output {
  #bytes: Uint8Array;
  #length = 0;

  constructor(expected: number) {
    this.#bytes = new Uint8Array(expected);
  }

  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Copies from `distance` bytes back, which may be less than what is copied. */
  repeat(distance: number, count: number): void {
    if (distance === 0 || distance > this.#length) throw new Error('an LZ4 match before the beginning');
    this.#reserve(count);
    for (let i = 0; i < count; i++) this.#bytes[this.#length + i] = this.#bytes[this.#length + i - distance]!;
    this.#length += count;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * (this.#length + count));
    larger.set(this.bytes());
    this.#bytes = larger;
  }
}
