import type { DecodeOptions, Tokenizer } from './tokenizer.js';

/**
 * What the clean-up of tokenisation, or the decoder of WordPiece, may still turn into something else, without its spaces: a
 * space whose followers begin such a thing can vanish.
 */
const CHANGEABLE = ['.', '?', '!', ',', "'", "n't", "'m", "'s", "'ve", "'re", 'donot'];
/** Characters within which such a thing ends, spaces included. */
const LONGEST = 14;
/** Bytes of a character that is not whole yet. */
const REPLACEMENT = /\uFFFD+$/;

/**
 * The text of tokens that come one by one, in pieces that never have to be taken back: together they are exactly what `decode`
 * makes of all tokens. Held back is what later tokens may change: characters whose bytes are not all there, and spaces that
 * the clean-up may remove.
 */
export class TextStream {
  readonly #tokenizer: Pick<Tokenizer, 'decode'>;
  readonly #options: DecodeOptions;
  readonly #ids: number[] = [];
  #given = '';

  constructor(tokenizer: Pick<Tokenizer, 'decode'>, options: DecodeOptions = {}) {
    this.#tokenizer = tokenizer;
    this.#options = options;
  }

  /** Takes the next token and returns the text that is certain with it, often none. */
  push(id: number): string {
    this.#ids.push(id);
    const text = this.#tokenizer.decode(this.#ids, this.#options);
    return this.#give(text.slice(0, certainLength(text)));
  }

  /** The rest of the text, when no more tokens come. */
  end(): string {
    return this.#give(this.#tokenizer.decode(this.#ids, this.#options));
  }

  #give(text: string): string {
    if (!text.startsWith(this.#given)) return '';
    const piece = text.slice(this.#given.length);
    this.#given = text;
    return piece;
  }
}

/** The length of the text's beginning that stays as it is, whatever follows. */
function certainLength(text: string): number {
  const whole = text.replace(REPLACEMENT, '');
  for (let at = Math.max(0, whole.length - LONGEST); at < whole.length; at++) {
    if (whole[at] !== ' ') continue;
    const rest = whole.slice(at).replaceAll(' ', '');
    if (CHANGEABLE.some((one) => one.startsWith(rest))) return at;
  }
  return whole.length;
}
