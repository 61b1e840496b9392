import { ByteBuffer } from './byte-buffer.js';
import { Charsmap, type Match } from './charsmap.js';
import { type DoubleArray, NONE } from './double-array.js';
import type { NormalizerSpec } from './file.js';
import { longestKey } from './piece-index.js';
import { characterLength } from './utf8.js';

const encoder = new TextEncoder();
const SPACE = 0x20;
/** U+2581, which stands for a space in pieces. */
const ESCAPED_SPACE = encoder.encode('\u2581');
const PLAIN_SPACE = Uint8Array.of(SPACE);

/** What a text goes through before it is cut into pieces. */
export class Normalizer {
  readonly #spec: NormalizerSpec;
  readonly #charsmap: Charsmap | undefined;
  readonly #userDefined: DoubleArray | undefined;
  readonly #suffix: boolean;
  readonly #space: Uint8Array;
  readonly #input = new ByteBuffer();
  readonly #output = new ByteBuffer();
  /** What stands at one place of the text: `length` bytes of it become `#source[start, end)`. */
  readonly #match: Match = { start: 0, end: 0, length: 0 };
  #source: Uint8Array = PLAIN_SPACE;

  /** User-defined symbols, the keys of `userDefined`, stay as they are. */
  constructor(spec: NormalizerSpec, userDefined?: DoubleArray, suffix = false) {
    this.#spec = spec;
    this.#charsmap = spec.precompiledCharsmap.length > 0 ? new Charsmap(spec.precompiledCharsmap) : undefined;
    this.#userDefined = userDefined;
    this.#suffix = suffix;
    this.#space = spec.escapeWhitespaces ? ESCAPED_SPACE : PLAIN_SPACE;
  }

  /** The text's UTF-8, normalised; valid until the next call. */
  normalize(text: string): ByteBuffer {
    const { addDummyPrefix, removeExtraWhitespaces } = this.#spec;
    const output = this.#output;
    const input = this.#input;
    input.clear(3 * text.length);
    input.length = encoder.encodeInto(text, input.bytes).written;
    output.clear(input.length);
    const start = removeExtraWhitespaces ? this.#skipSpaces() : 0;
    if (start === input.length) return output;

    if (addDummyPrefix && !this.#suffix) this.#addSpace();
    let afterSpace = removeExtraWhitespaces;
    for (let i = start; i < input.length; ) {
      this.#find(i);
      const match = this.#match;
      if (afterSpace) while (match.start < match.end && this.#source[match.start] === SPACE) match.start++;
      if (match.start < match.end) {
        this.#copy();
        afterSpace = removeExtraWhitespaces && this.#source[match.end - 1] === SPACE;
      }
      i += match.length;
    }
    if (removeExtraWhitespaces) this.#trimEnd();
    if (addDummyPrefix && this.#suffix) this.#addSpace();
    return output;
  }

  #skipSpaces(): number {
    const match = this.#match;
    for (let i = 0; i < this.#input.length; i += match.length) {
      this.#find(i);
      if (match.end - match.start !== 1 || this.#source[match.start] !== SPACE) return i;
    }
    return this.#input.length;
  }

  #find(position: number): void {
    const { bytes, length } = this.#input;
    const match = this.#match;
    const symbol = this.#userDefined === undefined ? 0 : longestKey(this.#userDefined, bytes, position, length);
    if (symbol === 0 && this.#charsmap !== undefined) {
      this.#charsmap.longest(bytes, position, length, match);
      this.#source = this.#charsmap.replacements;
      if (match.start !== NONE) return;
    }
    this.#source = bytes;
    match.length = symbol || characterLength(bytes[position]!);
    match.start = position;
    match.end = position + match.length;
  }

  #copy(): void {
    const output = this.#output;
    const space = this.#space;
    const { start, end } = this.#match;
    output.reserve(space.length * (end - start));
    for (let i = start; i < end; i++) {
      const byte = this.#source[i]!;
      if (byte !== SPACE) output.bytes[output.length++] = byte;
      else for (let k = 0; k < space.length; k++) output.bytes[output.length++] = space[k]!;
    }
  }

  #addSpace(): void {
    this.#output.reserve(this.#space.length);
    this.#output.bytes.set(this.#space, this.#output.length);
    this.#output.length += this.#space.length;
  }

  #trimEnd(): void {
    const output = this.#output;
    const space = this.#space;
    while (
      output.length >= space.length &&
      space.every((b, k) => output.bytes[output.length - space.length + k] === b)
    ) {
      output.length -= space.length;
    }
  }
}
