import { type ElementType, elementTypes, type InputFile } from '../../checkpoints/index.js';
import { describeType, type Field, type StoredColumn } from './arrow-metadata.js';
import { isNull } from './texts.js';

const remedy = 'Save the dataset again, or copy the file again.';
/** Offsets of rows, or bytes of bits, that are read at once. */
const PIECE = 2 ** 18;
const FLOATS: Readonly<Record<number, ElementType>> = {
  16: elementTypes.float16,
  32: elementTypes.float32,
  64: elementTypes.float64,
};

/** Refuses a column of another type than lists of floats. */
export function checkVectorColumn(file: InputFile, field: Field): void {
  const [element] = field.children;
  const isList = ['List', 'LargeList', 'FixedSizeList'].includes(field.kind) && !field.dictionary;
  if (isList && element?.kind === 'Float' && element.bits in FLOATS) return;
  file.refuse(
    `has the column ${field.name} as ${describeType(field)}, where lists of floats are needed`,
    'Cast it to Sequence(Value("float32")) with the datasets library.',
  );
}

/** Vectors of one record batch, one behind the other in the file. */
export class VectorColumn {
  readonly dimension: number;
  readonly #file: InputFile;
  readonly #type: ElementType;
  readonly #firstRow: number;
  readonly #name: string;
  /** Byte of the file at which the first vector begins. */
  readonly #position: number;

  /**
   * Refuses, without reading a vector, rows that are missing or of another length than `dimension`, or than the first row
   * where that is undefined. `firstRow` is the number of rows of the dataset before these.
   */
  constructor(file: InputFile, column: StoredColumn, firstRow: number, dimension: number | undefined) {
    this.#file = file;
    this.#firstRow = firstRow;
    this.#name = column.field.name;
    const values = column.children[0]!;
    this.#type = FLOATS[values.field.bits]!;
    refuseNulls(file, column, 0, column.rows, (row) => file.refuse(`has no ${this.#at(row)}`, 'Embed it, or drop it.'));
    const { first, length } =
      column.field.kind === 'FixedSizeList'
        ? { first: 0, length: this.#checkLength(0, column.field.size, dimension) }
        : this.#checkOffsets(column, dimension);
    this.dimension = length;
    const last = first + column.rows * length;
    const data = values.buffers[1]!;
    if (last > values.rows || last * this.#type.bytes > data.bytes) {
      file.refuse(
        `has ${values.rows} elements of ${this.#name} in ${data.bytes} bytes, where its rows have ${last}`,
        remedy,
      );
    }
    this.#position = data.position + first * this.#type.bytes;
    refuseNulls(file, values, first, last, (element) =>
      file.refuse(
        `has no element ${(element - first) % length} in ${this.#at(Math.floor((element - first) / length))}`,
        'Embed it again, or drop it.',
      ),
    );
  }

  /** Reads vectors from `row` of the batch on, as many as `into` holds; refuses those that are not finite. */
  read(row: number, into: Float32Array): void {
    const { bytes, toFloat32 } = this.#type;
    const position = this.#position + row * this.dimension * bytes;
    if (this.#type === elementTypes.float32) this.#file.read(position, into);
    else {
      const stored = new Uint8Array(into.length * bytes);
      this.#file.read(position, stored);
      toFloat32(stored.buffer, into);
    }
    // 0·x is 0 for every finite x and NaN for the others, and NaN stays in the sum.
    let zero = 0;
    for (let i = 0; i < into.length; i++) zero += into[i]! * 0;
    if (zero === 0) return;
    const found = into.findIndex((value) => !Number.isFinite(value));
    this.#file.refuse(
      `has ${into[found]} as element ${found % this.dimension} of ${this.#at(row + Math.floor(found / this.dimension))}`,
      'Embed it again, or drop it.',
    );
  }

  #checkOffsets(column: StoredColumn, dimension: number | undefined): { first: number; length: number } {
    const width = column.field.kind === 'LargeList' ? 8 : 4;
    const buffer = column.buffers[1]!;
    if (buffer.bytes < (column.rows + 1) * width) {
      this.#file.refuse(`has ${buffer.bytes} bytes of offsets of ${this.#name} for ${column.rows} rows`, remedy);
    }
    let first: number | undefined;
    let previous = 0;
    let length = dimension;
    for (let row = 0; row <= column.rows; row += PIECE) {
      const count = Math.min(PIECE, column.rows + 1 - row);
      const bytes = this.#file.bytes(buffer.position + row * width, count * width);
      for (let i = 0; i < count; i++) {
        const offset = width === 8 ? Number(bytes.readBigInt64LE(i * 8)) : bytes.readInt32LE(i * 4);
        if (first === undefined) first = offset;
        else length = this.#checkLength(row + i - 1, offset - previous, length);
        previous = offset;
      }
    }
    if (first! < 0) this.#file.refuse(`has ${this.#at(0)} begin at ${first}`, remedy);
    return { first: first!, length: length! };
  }

  #checkLength(row: number, length: number, dimension: number | undefined): number {
    if (length < 0) this.#file.refuse(`has ${this.#at(row)} end before they begin`, remedy);
    if (length === 0) this.#file.refuse(`has no elements in ${this.#at(row)}`, 'Embed it again, or drop it.');
    if (length !== (dimension ?? length)) {
      this.#file.refuse(
        `has ${length} elements in ${this.#at(row)}, where the rows before have ${dimension}`,
        'Embed all passages with one model.',
      );
    }
    return length;
  }

  #at(row: number): string {
    return `${this.#name} of row ${this.#firstRow + row} (counted from 0)`;
  }
}

/** Calls `refuse` with the first row from `first` to before `last` that is missing. */
function refuseNulls(
  file: InputFile,
  column: StoredColumn,
  first: number,
  last: number,
  refuse: (row: number) => never,
): void {
  if (column.nulls === 0) return;
  for (let row = first; row < last; row++) if (isNull(file, column, row)) refuse(row);
}
