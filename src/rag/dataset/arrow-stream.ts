import type { InputFile } from '../../checkpoints/index.js';
import { decodeMessage, type Field, type Message, placeColumns, type StoredColumn } from './arrow-metadata.js';

// An Arrow stream is messages one after the other: u32 0xffffffff · i32 length of the metadata · metadata · body. The first is
// the schema, the last has no length. https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format

const CONTINUATION = 0xffffffff;
/** Read at a time: mostly the metadata of one message and no more. */
const PIECE = 4096;
/** Far above what the metadata of any batch take. */
const LONGEST_METADATA = 2 ** 26;
const remedy = 'Save the dataset again, or copy the file again.';

/** A dictionary's texts, in one piece or, where it grew, in several. */
export type Dictionary = readonly StoredColumn[];

/** Rows that lie together in a file. */
export interface StoredBatch {
  readonly rows: number;
  /** By name, those that were asked for. */
  readonly columns: ReadonlyMap<string, StoredColumn>;
  /** As they are for these rows. */
  readonly dictionaries: ReadonlyMap<number, Dictionary>;
}

export interface StoredStream {
  readonly fields: readonly Field[];
  readonly batches: readonly StoredBatch[];
}

/** Where everything lies in a stream: its messages are gone through, no values are read. */
export function readArrowStream(file: InputFile, names: readonly string[]): StoredStream {
  if (file.size === 0) file.refuse('is empty', remedy);
  if (file.bytes(0, Math.min(6, file.size)).toString('latin1') === 'ARROW1') {
    file.refuse(
      'is in the file format of Arrow, where the datasets library reads and writes streams',
      'Save the dataset with its save_to_disk.',
    );
  }
  let fields: readonly Field[] | undefined;
  let dictionaries = new Map<number, Dictionary>();
  const batches: StoredBatch[] = [];
  let rows = 0;
  for (let position = 0; ; ) {
    const found = messageAt(file, position, rows);
    if (found === undefined) break;
    const { message, body, end } = found;
    position = end;
    if (message.type === 'schema') {
      if (fields) file.refuse('has a second schema in it', remedy);
      fields = message.fields;
      continue;
    }
    if (!fields) return file.refuse('does not begin with a schema: it is no Arrow stream', remedy);
    const { batch, bodyBytes } = message;
    if (batch.codec !== undefined) {
      file.refuse(
        `is compressed (${batch.codec}), so that single rows cannot be read from it`,
        'Save the dataset with the datasets library, which does not compress.',
      );
    }
    if (message.type === 'dictionary') {
      const field = fieldOfDictionary(fields, message.id);
      if (!field) continue;
      const [values] = readable(file, rows, () => placeColumns([field], batch, body, bodyBytes));
      const before = message.isDelta ? (dictionaries.get(message.id) ?? []) : [];
      dictionaries = new Map(dictionaries).set(message.id, [...before, values!]);
      continue;
    }
    const columns = readable(file, rows, () => placeColumns(fields!, batch, body, bodyBytes));
    const wanted = columns.filter(({ field }) => names.includes(field.name));
    const byName = new Map(wanted.map((column) => [column.field.name, column]));
    if (batch.rows > 0) batches.push({ rows: batch.rows, columns: byName, dictionaries });
    rows += batch.rows;
  }
  return fields ? { fields, batches } : file.refuse('has no schema: it is no Arrow stream', remedy);
}

interface FoundMessage {
  readonly message: Message;
  readonly body: number;
  readonly end: number;
}

/** The message that begins at `position`; undefined for the mark that closes the stream. */
function messageAt(file: InputFile, position: number, rows: number): FoundMessage | undefined {
  if (position === file.size) {
    file.refuse(`ends behind row ${rows} without the mark that closes a stream: it was cut`, remedy);
  }
  const cut = (end: number) => file.refuse(`ends at byte ${file.size}, where bytes up to ${end} belong to it`, remedy);
  if (position + 8 > file.size) {
    // Streams of before 2019 have no continuation mark; they end with four zeros.
    const isOldEnd = position + 4 === file.size && file.bytes(position, 4).readUInt32LE() === 0;
    return isOldEnd ? undefined : cut(position + 8);
  }
  const piece = file.bytes(position, Math.min(PIECE, file.size - position));
  const isMarked = piece.readUInt32LE(0) === CONTINUATION;
  const length = piece.readUInt32LE(isMarked ? 4 : 0);
  const start = position + (isMarked ? 8 : 4);
  if (length === 0) {
    if (start < file.size) {
      file.refuse(`goes on for ${file.size - start} bytes behind the mark that closes it at row ${rows}`, remedy);
    }
    return undefined;
  }
  if (length > LONGEST_METADATA) {
    file.refuse(`announces ${length} bytes of metadata at byte ${position}: it is no Arrow stream or damaged`, remedy);
  }
  if (start + length > file.size) cut(start + length);
  const offset = start - position;
  const metadata =
    offset + length <= piece.length ? piece.subarray(offset, offset + length) : file.bytes(start, length);
  const message = readable(file, rows, () => decodeMessage(metadata));
  const body = start + length;
  const end = body + message.bodyBytes;
  if (end > file.size) cut(end);
  return { message, body, end };
}

function readable<T>(file: InputFile, rows: number, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return file.refuse(`is damaged behind row ${rows}: ${error.message}`, remedy, error);
  }
}

/** The values that the indices of a column stand for, as a field of their own. */
function fieldOfDictionary(fields: readonly Field[], id: number): Field | undefined {
  const found = fields.find(({ dictionary }) => dictionary?.id === id);
  return found && { ...found, dictionary: undefined };
}
