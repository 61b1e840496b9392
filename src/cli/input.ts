import { accessSync, constants, createReadStream, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { TextDecoder } from 'node:util';
import { fail, Seq2SeqError } from '../errors.js';
import { systemReason } from './failure.js';

export function requireReadable(path: string, area: string): void {
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    fail(area, `cannot read ${path}: ${systemReason(error)}. Check the path.`, error);
  }
  if (statSync(path).isDirectory()) fail(area, `${path} is a directory. Name a file.`);
}

/** The lines of a file, or of stdin, in chunks of at most `size`, so that an endless input needs bounded memory. */
export async function* lineChunks(
  path: string | undefined,
  size: number,
  encoding = 'utf-8',
): AsyncGenerator<string[]> {
  let chunk: string[] = [];
  for await (const line of decodedLines(path, encoding)) {
    chunk.push(line);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/**
 * Lines end at `\n` or `\r\n` alone: other separators that Unicode has are part of a text. Bytes are split before they are
 * decoded, so that a wrong byte is told with its line.
 */
async function* decodedLines(path: string | undefined, encoding: string): AsyncGenerator<string> {
  const decoder = lineDecoder(encoding);
  let number = 0;
  for await (const bytes of byteLines(path === undefined ? process.stdin : createReadStream(path))) {
    number++;
    let line: string;
    try {
      line = decoder.decode(bytes);
    } catch (error) {
      fail(
        'predict',
        `line ${number} of ${path ?? 'stdin'} is not valid ${decoder.encoding}. Convert it, or name its --encoding.`,
        error,
      );
    }
    if (number === 1 && line.startsWith('\uFEFF')) line = line.slice(1);
    yield line.endsWith('\r') ? line.slice(0, -1) : line;
  }
}

async function* byteLines(source: Readable): AsyncGenerator<Uint8Array> {
  let pending: Uint8Array[] = [];
  for await (const piece of source as AsyncIterable<Uint8Array>) {
    let start = 0;
    for (let end = piece.indexOf(10); end !== -1; end = piece.indexOf(10, start)) {
      const tail = piece.subarray(start, end);
      yield pending.length === 0 ? tail : Buffer.concat([...pending, tail]);
      pending = [];
      start = end + 1;
    }
    if (start < piece.length) pending.push(piece.subarray(start));
  }
  if (pending.length > 0) yield Buffer.concat(pending);
}

function lineDecoder(encoding: string): TextDecoder {
  try {
    const { encoding: standardName } = new TextDecoder(encoding);
    // A line feed is one byte in every other encoding of the standard.
    if (standardName.startsWith('utf-16'))
      fail('predict', `${encoding} cannot be split into lines. Convert it to utf-8.`);
    // Only UTF-8 is told to leave U+FEFF alone: with `ignoreBOM` Node 20 swallows a leading 0xFF of Latin-1.
    return new TextDecoder(standardName, { fatal: true, ignoreBOM: standardName === 'utf-8' });
  } catch (error) {
    if (error instanceof Seq2SeqError) throw error;
    fail(
      'predict',
      `there is no encoding "${encoding}". Use a name of the WHATWG Encoding standard, e.g. utf-8.`,
      error,
    );
  }
}
