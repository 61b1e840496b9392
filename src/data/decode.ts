import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { TextDecoder } from 'node:util';
import { createGunzip } from 'node:zlib';
import { fail } from '../errors.js';

export type ByteSource = AsyncIterable<Uint8Array | string>;

const UTF8 = new Set(['utf-8', 'utf8', 'utf-8-sig', 'u8']);
/** Python's name for bytes as code points; the web's decoder takes it for windows-1252. */
const LATIN1 = new Set(['latin-1', 'latin1', 'iso-8859-1', 'iso8859-1', 'l1']);
const BOM = '\ufeff';
const NEWLINE = 10;

/** A file's text in pieces, so that its size does not matter. A byte order mark is no text. */
export async function* readText(path: string, encoding?: string): AsyncGenerator<string> {
  yield* decodeText(contentOf(path), path, encoding);
}

/** The text of a stream; what is not valid in the encoding is an error, never a replacement character. */
export async function* decodeText(source: ByteSource, name: string, encoding = 'utf-8'): AsyncGenerator<string> {
  const label = encoding.toLowerCase().replaceAll('_', '-');
  const pieces = UTF8.has(label) ? decodeUtf8(source, name) : decodeOther(source, name, label);
  let started = false;
  for await (const piece of pieces) {
    const text = !started && piece.startsWith(BOM) ? piece.slice(1) : piece;
    started ||= piece.length > 0;
    if (text.length > 0) yield text;
  }
}

async function* contentOf(path: string): ByteSource {
  const file = createReadStream(path, { highWaterMark: 1 << 18 });
  if (!path.toLowerCase().endsWith('.gz')) {
    yield* read(file, path);
    return;
  }
  // Errors of the file arrive here too; the pipeline's callback has nothing to add to them.
  const unpacked = pipeline(file, createGunzip({ chunkSize: 1 << 18 }), () => {});
  yield* read(unpacked, path);
}

async function* read(stream: Readable, path: string): ByteSource {
  try {
    yield* stream as AsyncIterable<Uint8Array>;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    if ('syscall' in error) fail('data', `cannot read ${path}: ${error.message}. Check the path.`, error);
    fail(
      'data',
      `${path} is not gzip from its beginning to its end: ${error.message}. Compress it again, or download it again.`,
      error,
    );
  }
}

async function* decodeUtf8(source: ByteSource, name: string): AsyncGenerator<string> {
  let rest: Uint8Array = new Uint8Array(0);
  let offset = 0;
  let line = 1;
  const refuse = (bytes: Uint8Array, at: number): never => {
    const where = `byte ${offset + at}, line ${line + newlines(bytes.subarray(0, at))}`;
    const shown = bytes[at]!.toString(16).padStart(2, '0');
    return fail(
      'data',
      `${name} is not valid UTF-8 at ${where} (0x${shown}). Convert it to UTF-8, or name its encoding.`,
    );
  };
  for await (const chunk of source) {
    if (typeof chunk === 'string') {
      yield chunk;
      continue;
    }
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    const whole = bytes.subarray(0, bytes.length - unfinished(bytes));
    if (!isUtf8(whole)) refuse(bytes, firstInvalid(whole));
    rest = bytes.subarray(whole.length);
    yield textOf(whole);
    offset += whole.length;
    line += newlines(whole);
  }
  if (rest.length > 0) refuse(rest, 0);
}

async function* decodeOther(source: ByteSource, name: string, label: string): AsyncGenerator<string> {
  const decoder = LATIN1.has(label) ? undefined : decoderFor(label);
  let read = 0;
  try {
    for await (const chunk of source) {
      if (typeof chunk === 'string') yield chunk;
      else yield decoder ? decoder.decode(chunk, { stream: true }) : Buffer.from(chunk).toString('latin1');
      read += chunk.length;
    }
    if (decoder) yield decoder.decode();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    fail('data', `${name} is not valid ${label} beyond byte ${read}. Name the encoding it has.`, error);
  }
}

function decoderFor(label: string): TextDecoder {
  try {
    return new TextDecoder(label, { fatal: true });
  } catch (error) {
    return fail(
      'data',
      `there is no encoding "${label}". Usual ones: utf-8, latin-1, cp1252, utf-16, shift-jis, gbk.`,
      error,
    );
  }
}

/** Number of bytes at the end that begin a character and do not finish it. */
function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}

/** Where the first malformed sequence begins: at the first difference to what the bytes become when it is replaced. */
function firstInvalid(bytes: Uint8Array): number {
  const replaced = Buffer.from(textOf(bytes));
  let at = 0;
  while (bytes[at] === replaced[at]) at++;
  // The difference may be inside the replacement character.
  while ((replaced[at]! & 0xc0) === 0x80) at--;
  return at;
}

function newlines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
