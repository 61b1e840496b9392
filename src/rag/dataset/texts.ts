import { isUtf8 } from 'node:buffer';
import type { InputFile } from '../../checkpoints/index.js';
import { describeType, type Extent, type Field, type StoredColumn } from './arrow-metadata.js';
import type { Dictionary } from './arrow-stream.js';

/** In bytes: V8 has no longer strings. */
const LONGEST_TEXT = 2 ** 28;
/** A view of up to so many bytes has them in itself. */
const INLINE = 12;
const remedy = 'Save the dataset again, or copy the file again.';
const KINDS = ['Utf8', 'LargeUtf8', 'Utf8View', 'Null'];

/** Refuses a column of another type. */
export function checkTextColumn(file: InputFile, field: Field): void {
  const bits = field.dictionary?.bits ?? 8;
  if (KINDS.includes(field.kind) && [8, 16, 32, 64].includes(bits)) return;
  file.refuse(
    `has the column ${field.name} as ${describeType(field)}, where texts are needed`,
    'Cast it to string with the datasets library.',
  );
}

/** The texts of a column in one record batch; nothing is kept in memory. */
export class TextColumn {
  readonly #file: InputFile;
  readonly #column: StoredColumn;
  readonly #dictionary: Dictionary | undefined;

  constructor(file: InputFile, column: StoredColumn, dictionaries: ReadonlyMap<number, Dictionary>) {
    this.#file = file;
    this.#column = column;
    const id = column.field.dictionary?.id;
    this.#dictionary = id === undefined ? undefined : (dictionaries.get(id) ?? []);
  }

  /** The text of a row of the batch; a missing one is empty. `where` names the row in errors. */
  at(row: number, where: string): string {
    const text = this.#textOf(this.#column, row, where);
    return text ?? '';
  }

  #textOf(column: StoredColumn, row: number, where: string): string | undefined {
    const { field, buffers } = column;
    if (field.kind === 'Null' || isNull(this.#file, column, row)) return undefined;
    const cell = `${field.name} of ${where}`;
    if (this.#dictionary && field.dictionary) {
      const bytes = field.dictionary.bits / 8;
      const stored = this.#read(buffers[1]!, row * bytes, bytes, cell);
      return this.#entry(bytes === 8 ? Number(stored.readBigUInt64LE()) : stored.readUIntLE(0, bytes), cell, where);
    }
    if (field.kind === 'Utf8View') {
      const view = this.#read(buffers[1]!, row * 16, 16, cell);
      const bytes = view.readUInt32LE(0);
      if (bytes <= INLINE) return this.#decode(view.subarray(4, 4 + bytes), cell);
      const data = buffers[2 + view.readUInt32LE(8)];
      if (!data) return this.#file.refuse(`has ${cell} in a buffer that is not there`, remedy);
      return this.#decode(this.#read(data, view.readUInt32LE(12), bytes, cell), cell);
    }
    const width = field.kind === 'LargeUtf8' ? 8 : 4;
    const offsets = this.#read(buffers[1]!, row * width, 2 * width, cell);
    const [begin, end] = [0, width].map((at) =>
      width === 8 ? Number(offsets.readBigInt64LE(at)) : offsets.readInt32LE(at),
    ) as [number, number];
    return this.#decode(this.#read(buffers[2]!, begin, end - begin, cell), cell);
  }

  /** The text that an index stands for. */
  #entry(index: number, cell: string, where: string): string | undefined {
    let before = 0;
    for (const piece of this.#dictionary!) {
      if (index < before + piece.rows) return this.#textOf(piece, index - before, where);
      before += piece.rows;
    }
    return this.#file.refuse(`has ${cell} as entry ${index} of a dictionary of ${before}`, remedy);
  }

  #read({ position, bytes: size }: Extent, offset: number, bytes: number, cell: string): Buffer {
    if (offset < 0 || bytes < 0 || offset + bytes > size) {
      this.#file.refuse(`has ${cell} at bytes ${offset} to ${offset + bytes} of ${size}`, remedy);
    }
    if (bytes > LONGEST_TEXT) {
      this.#file.refuse(`has ${cell} of ${bytes} bytes, more than the ${LONGEST_TEXT} of a text`, 'Split it first.');
    }
    return this.#file.bytes(position + offset, bytes);
  }

  #decode(bytes: Buffer, cell: string): string {
    if (!isUtf8(bytes)) this.#file.refuse(`has ${cell} that is not valid UTF-8`, remedy);
    return bytes.toString('utf8');
  }
}

/** Whether a row is missing: its bit is 0 where there are bits. */
export function isNull(file: InputFile, { nulls, buffers }: StoredColumn, row: number): boolean {
  const bits = buffers[0];
  if (nulls === 0 || !bits || bits.bytes === 0) return false;
  if (row >> 3 >= bits.bytes) file.refuse(`has ${bits.bytes} bytes of bits for row ${row} of a batch`, remedy);
  return ((file.bytes(bits.position + Math.floor(row / 8), 1)[0]! >> (row % 8)) & 1) === 0;
}
