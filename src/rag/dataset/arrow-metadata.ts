import { FlatTable } from './flat-table.js';

// The metadata of Arrow's messages, of which a stream is made: the schema, dictionaries, record batches.
// https://github.com/apache/arrow/tree/main/format: Message.fbs, Schema.fbs; numbers of fields and types are those of these files.

const KINDS = [
  'None',
  'Null',
  'Int',
  'Float',
  'Binary',
  'Utf8',
  'Bool',
  'Decimal',
  'Date',
  'Time',
  'Timestamp',
  'Interval',
  'List',
  'Struct',
  'Union',
  'FixedSizeBinary',
  'FixedSizeList',
  'Map',
  'Duration',
  'LargeBinary',
  'LargeUtf8',
  'LargeList',
  'RunEndEncoded',
  'BinaryView',
  'Utf8View',
  'ListView',
  'LargeListView',
] as const;
export type Kind = (typeof KINDS)[number];

const CODECS = ['LZ4', 'Zstandard'];

/** A column, or the elements of one. */
export interface Field {
  readonly name: string;
  readonly kind: Kind;
  /** Of an Int or a Float. */
  readonly bits: number;
  /** Elements in a row of a FixedSizeList. */
  readonly size: number;
  readonly isDense: boolean;
  readonly children: readonly Field[];
  /** Where texts are kept once and rows are indices. */
  readonly dictionary: { readonly id: number; readonly bits: number } | undefined;
}

/** Bytes of a message's body. */
export interface Extent {
  readonly position: number;
  readonly bytes: number;
}

/** Where the values of a field lie, for the rows of one record batch. */
export interface StoredColumn {
  readonly field: Field;
  readonly rows: number;
  readonly nulls: number;
  /** In the order of the format: which rows there are as bits, then offsets, then values, as far as the type has them. */
  readonly buffers: readonly Extent[];
  readonly children: readonly StoredColumn[];
}

interface BatchMetadata {
  readonly rows: number;
  readonly nodes: readonly (readonly [rows: number, nulls: number])[];
  readonly buffers: readonly (readonly [offset: number, bytes: number])[];
  /** Buffers that a column of views has besides its own. */
  readonly viewed: readonly number[];
  readonly codec: string | undefined;
}

export type Message = { readonly bodyBytes: number } & (
  | { readonly type: 'schema'; readonly fields: readonly Field[] }
  | { readonly type: 'dictionary'; readonly id: number; readonly isDelta: boolean; readonly batch: BatchMetadata }
  | { readonly type: 'batch'; readonly batch: BatchMetadata }
);

/** What the metadata of a message say; a RangeError where they are no such thing. */
export function decodeMessage(bytes: Uint8Array): Message {
  const message = FlatTable.root(bytes);
  const bodyBytes = message.count(3);
  const header = message.table(2);
  if (header) {
    switch (message.uint8(1, 0)) {
      case 1:
        return { bodyBytes, type: 'schema', fields: header.tables(1).map(decodeField) };
      case 2: {
        const batch = header.table(1);
        if (!batch) break;
        const isDelta = header.uint8(2, 0) !== 0;
        return { bodyBytes, type: 'dictionary', id: header.count(0), isDelta, batch: decodeBatch(batch) };
      }
      case 3:
        return { bodyBytes, type: 'batch', batch: decodeBatch(header) };
    }
  }
  throw new RangeError('a message of no known kind');
}

function decodeField(table: FlatTable): Field {
  const kind = KINDS[table.uint8(2, 0)];
  if (kind === undefined) throw new RangeError('a column of no known type');
  const type = table.table(3);
  const dictionary = table.table(4);
  return {
    name: table.string(0),
    kind,
    bits: kind === 'Int' ? (type?.int32(0, 0) ?? 0) : kind === 'Float' ? 16 << (type?.int16(0, 0) ?? 0) : 0,
    size: kind === 'FixedSizeList' ? (type?.int32(0, 0) ?? 0) : 0,
    isDense: kind === 'Union' && type?.int16(0, 0) === 1,
    children: table.tables(5).map(decodeField),
    dictionary: dictionary && { id: dictionary.count(0), bits: dictionary.table(1)?.int32(0, 0) ?? 32 },
  };
}

function decodeBatch(table: FlatTable): BatchMetadata {
  const compression = table.table(3);
  const codec = compression?.uint8(0, 0);
  return {
    rows: table.count(0),
    nodes: table.pairs(1),
    buffers: table.pairs(2),
    viewed: table.counts(4),
    codec: codec === undefined ? undefined : (CODECS[codec] ?? `codec ${codec}`),
  };
}

/** A type in words: `List<Float32>`. */
export function describeType({ kind, bits, children, dictionary }: Field): string {
  const plain = kind === 'Int' || kind === 'Float' ? `${kind}${bits}` : kind;
  const whole = children.length > 0 ? `${plain}<${children.map(describeType).join(', ')}>` : plain;
  return dictionary ? `Dictionary<${whole}>` : whole;
}

/** Where the columns lie in a batch whose body of `bodyBytes` begins at `start`; a RangeError where they do not fit in. */
export function placeColumns(
  fields: readonly Field[],
  batch: BatchMetadata,
  start: number,
  bodyBytes: number,
): StoredColumn[] {
  const nodes = batch.nodes.values();
  const buffers = batch.buffers.values();
  const viewed = batch.viewed.values();
  const next = <T>(values: Iterator<T>): T => {
    const { value, done } = values.next();
    if (done) throw new RangeError('fewer buffers than its columns have');
    return value;
  };
  const extent = (): Extent => {
    const [offset, bytes] = next(buffers);
    if (offset + bytes > bodyBytes)
      throw new RangeError(`a buffer that ends at byte ${offset + bytes} of ${bodyBytes}`);
    return { position: start + offset, bytes };
  };
  const place = (field: Field): StoredColumn => {
    const [rows, nulls] = next(nodes);
    const views = field.dictionary ? false : field.kind === 'Utf8View' || field.kind === 'BinaryView';
    const count = bufferCount(field) + (views ? next(viewed) : 0);
    if (count > batch.buffers.length) throw new RangeError('fewer buffers than its columns have');
    const own = Array.from({ length: count }, extent);
    // The values behind indices lie in the dictionary.
    const children = field.dictionary ? [] : field.children.map(place);
    return { field, rows, nulls, buffers: own, children };
  };
  const columns = fields.map(place);
  const uneven = columns.find(({ rows }) => rows !== batch.rows);
  if (uneven) throw new RangeError(`${uneven.rows} rows of ${uneven.field.name} in a batch of ${batch.rows}`);
  return columns;
}

function bufferCount({ kind, isDense, dictionary }: Field): number {
  if (dictionary) return 2;
  switch (kind) {
    case 'None':
    case 'Null':
    case 'RunEndEncoded':
      return 0;
    case 'Struct':
    case 'FixedSizeList':
      return 1;
    case 'Union':
      return isDense ? 2 : 1;
    case 'Binary':
    case 'Utf8':
    case 'LargeBinary':
    case 'LargeUtf8':
    case 'ListView':
    case 'LargeListView':
      return 3;
    default:
      return 2;
  }
}
