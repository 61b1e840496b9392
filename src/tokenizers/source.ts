import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../errors.js';

export const REMEDY = 'Download the file again, or save the tokenizer anew.';

export interface TokenizerLoadOptions {
  /** Lower the case of every text; overrides the `do_lower_case` of the tokenizer's files. */
  doLowerCase?: boolean | undefined;
}

/** Where the files of a tokenizer come from. */
export interface TokenizerSource {
  /** What messages call it: a folder's path, or `memory`. */
  readonly place: string;
  /** The content of a file, if it is there. */
  readBytes(name: string): Uint8Array | undefined;
  /** The text of a file, if it is there. */
  readText(name: string): string | undefined;
}

export function directorySource(directory: string): TokenizerSource {
  return sourceOf(directory, (name) => {
    const path = join(directory, name);
    if (!existsSync(path)) return undefined;
    try {
      return readFileSync(path);
    } catch (error) {
      return fail('tokenizer', `${path} cannot be read: ${(error as Error).message}. ${REMEDY}`, error);
    }
  });
}

/** Over what {@link Tokenizer.files} returns. */
export function memorySource(files: ReadonlyMap<string, string | Uint8Array>): TokenizerSource {
  const encoder = new TextEncoder();
  return sourceOf('memory', (name) => {
    const content = files.get(name);
    return typeof content === 'string' ? encoder.encode(content) : content;
  });
}

function sourceOf(place: string, readBytes: TokenizerSource['readBytes']): TokenizerSource {
  return {
    place,
    readBytes,
    readText(name) {
      const bytes = readBytes(name);
      if (!bytes) return undefined;
      try {
        return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
      } catch (error) {
        return fail('tokenizer', `${join(place, name)} cannot be read: it is not UTF-8 text. ${REMEDY}`, error);
      }
    },
  };
}
