// Flatbuffers (https://flatbuffers.dev/internals), read in place: a table begins with an i32, the way back to its vtable of
// u16 length, u16 size and one u16 a field, where the field lies in the table, 0 where it is left out. Strings, vectors and
// other tables are u32 ways forward. What points outside throws a RangeError, as does what no file can hold.

/** A table and its fields by their number in the schema; what is left out has the schema's default. */
export class FlatTable {
  readonly #view: DataView;
  readonly #position: number;

  constructor(view: DataView, position: number) {
    this.#view = view;
    this.#position = position;
  }

  static root(bytes: Uint8Array): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new FlatTable(view, view.getUint32(0, true));
  }

  uint8(field: number, otherwise: number): number {
    const place = this.#place(field);
    return place === undefined ? otherwise : this.#view.getUint8(place);
  }

  int16(field: number, otherwise: number): number {
    const place = this.#place(field);
    return place === undefined ? otherwise : this.#view.getInt16(place, true);
  }

  int32(field: number, otherwise: number): number {
    const place = this.#place(field);
    return place === undefined ? otherwise : this.#view.getInt32(place, true);
  }

  /** An i64 that counts something. */
  count(field: number): number {
    const place = this.#place(field);
    return place === undefined ? 0 : this.#count(place);
  }

  table(field: number): FlatTable | undefined {
    const place = this.#place(field);
    return place === undefined ? undefined : new FlatTable(this.#view, place + this.#view.getUint32(place, true));
  }

  tables(field: number): FlatTable[] {
    return this.#elements(field, 4).map((at) => new FlatTable(this.#view, at + this.#view.getUint32(at, true)));
  }

  string(field: number): string {
    const [start, length] = this.#vector(field, 1);
    return Buffer.from(this.#view.buffer, this.#view.byteOffset + start, length).toString('utf8');
  }

  /** A vector of i64. */
  counts(field: number): number[] {
    return this.#elements(field, 8).map((at) => this.#count(at));
  }

  /** A vector of structs of two i64. */
  pairs(field: number): (readonly [number, number])[] {
    return this.#elements(field, 16).map((at) => [this.#count(at), this.#count(at + 8)]);
  }

  #count(place: number): number {
    const value = Number(this.#view.getBigInt64(place, true));
    if (value < 0 || !Number.isSafeInteger(value)) throw new RangeError(`${value} is no count`);
    return value;
  }

  #elements(field: number, bytes: number): number[] {
    const [start, count] = this.#vector(field, bytes);
    return Array.from({ length: count }, (_, i) => start + i * bytes);
  }

  /** Where a vector's elements begin, and how many there are. */
  #vector(field: number, bytes: number): readonly [number, number] {
    const place = this.#place(field);
    if (place === undefined) return [0, 0];
    const start = place + this.#view.getUint32(place, true) + 4;
    const count = this.#view.getUint32(start - 4, true);
    if (start + count * bytes > this.#view.byteLength) throw new RangeError(`${count} elements end outside`);
    return [start, count];
  }

  #place(field: number): number | undefined {
    const vtable = this.#position - this.#view.getInt32(this.#position, true);
    const entry = 4 + 2 * field;
    const offset = entry < this.#view.getUint16(vtable, true) ? this.#view.getUint16(vtable + entry, true) : 0;
    return offset === 0 ? undefined : this.#position + offset;
  }
}
