import { fail } from '../errors.js';
import { type ByteSource, decodeText, readText } from './decode.js';

/** In UTF-16 units: beyond it a file is no lines of text, and would end at V8's limit for strings. */
export const LONGEST_RECORD = 2 ** 27;

/**
 * The lines of a file or a stream, one input each: empty ones too, but nothing behind a last newline. A line ends at `\n` or
 * `\r\n` alone; other separators of Unicode belong to the text.
 */
export async function* readLines(
  source: string | ByteSource,
  options: { encoding?: string | undefined } = {},
): AsyncGenerator<string> {
  const [name, text] =
    typeof source === 'string'
      ? [source, readText(source, options.encoding)]
      : ['the input stream', decodeText(source, 'the input stream', options.encoding)];
  yield* splitLines(text, name);
}

export async function* splitLines(text: AsyncIterable<string>, name: string): AsyncGenerator<string> {
  let line = '';
  let count = 0;
  for await (const piece of text) {
    let start = 0;
    for (let end = piece.indexOf('\n'); end >= 0; end = piece.indexOf('\n', start)) {
      line += piece.slice(start, end);
      yield line.endsWith('\r') ? line.slice(0, -1) : line;
      count++;
      line = '';
      start = end + 1;
    }
    line += piece.slice(start);
    if (line.length > LONGEST_RECORD)
      fail('data', `line ${count + 1} of ${name} is longer than ${LONGEST_RECORD} characters. Is it a text file?`);
  }
  if (line.length > 0) yield line;
}
