import { InputFile } from '../../checkpoints/index.js';

/** Reads a Faiss file from its beginning: little endian, numbers and counted vectors of numbers. */
export class FaissReader {
  readonly file: InputFile;
  position = 0;

  constructor(path: string) {
    this.file = new InputFile(path, 'index');
  }

  get left(): number {
    return this.file.size - this.position;
  }

  fourcc(): string {
    return this.#bytes(4).toString('latin1');
  }

  uint8(): number {
    return this.#bytes(1).readUInt8();
  }

  int32(): number {
    return this.#bytes(4).readInt32LE();
  }

  float32(): number {
    return this.#bytes(4).readFloatLE();
  }

  int64(): number {
    const value = Number(this.#bytes(8).readBigInt64LE());
    if (!Number.isSafeInteger(value)) this.refuse(`has the number ${value} at byte ${this.position - 8}`);
    return value;
  }

  /** The number of entries of a vector, which must be there. */
  count(what: string, bytesEach: number): number {
    const count = this.int64();
    if (count < 0 || count * bytesEach > this.left) {
      this.refuse(
        `ends at byte ${this.file.size}, but from byte ${this.position} on needs ${count} ${what} of ${bytesEach} bytes`,
      );
    }
    return count;
  }

  /** Fills an array that was made as large as the file says, and can give. */
  read<T extends Int32Array | Float32Array | Float64Array | BigInt64Array | BigUint64Array>(into: T): T {
    this.file.read(this.position, into);
    this.position += into.byteLength;
    return into;
  }

  /** Leaves bytes out that are read later, from where they are. */
  skip(bytes: number): number {
    const position = this.position;
    this.position += bytes;
    return position;
  }

  refuse(problem: string, remedy?: string): never {
    return this.file.refuse(problem, remedy);
  }

  #bytes(count: number): Buffer {
    const bytes = this.file.bytes(this.position, count);
    this.position += count;
    return bytes;
  }
}

/** Collects a Faiss file's bytes, but for large arrays, which stay where they are. */
export class FaissWriter {
  readonly pieces: Uint8Array[] = [];

  fourcc(name: string): void {
    this.pieces.push(Buffer.from(name, 'latin1'));
  }

  uint8(value: number): void {
    this.pieces.push(Buffer.of(value));
  }

  int32(value: number): void {
    this.array(Int32Array.of(value));
  }

  float32(value: number): void {
    this.array(Float32Array.of(value));
  }

  int64(value: number | bigint): void {
    this.array(BigInt64Array.of(BigInt(value)));
  }

  array(values: NodeJS.ArrayBufferView): void {
    this.pieces.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }

  vector(values: NodeJS.ArrayBufferView & { readonly length: number }): void {
    this.int64(values.length);
    this.array(values);
  }
}
