import { z } from 'zod';
import { isSpace } from './character-class.js';

/** A token that is cut out of a text before the model sees it. Fields are named as in Hugging Face's files. */
export interface AddedToken {
  content: string;
  /** Only where no word character touches it. */
  single_word: boolean;
  /** Takes the white space before it along. */
  lstrip: boolean;
  /** Takes the white space behind it along. */
  rstrip: boolean;
  /** Sought after normalisation, and so after those that are not. */
  normalized: boolean;
  /** Left out of a decoded text on demand. */
  special: boolean;
}

export const addedTokenSchema = z
  .object({
    content: z.string().min(1),
    single_word: z.boolean().default(false),
    lstrip: z.boolean().default(false),
    rstrip: z.boolean().default(false),
    normalized: z.boolean().optional(),
    special: z.boolean().default(false),
  })
  .transform((token): AddedToken => ({ ...token, normalized: token.normalized ?? !token.special }));

const WORD = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]';
const ENDS_WITH_WORD = new RegExp(`${WORD}$`, 'u');
const STARTS_WITH_WORD = new RegExp(`^${WORD}`, 'u');

/** The added tokens of a tokenizer, by id and by content. */
export class AddedTokens {
  readonly #byId: ReadonlyMap<number, AddedToken>;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #special: ReadonlySet<string>;
  readonly #patterns: readonly RegExp[];

  constructor(tokens: ReadonlyMap<number, AddedToken>) {
    this.#byId = tokens;
    this.#ids = new Map([...tokens].map(([id, token]) => [token.content, id]));
    this.#special = new Set([...tokens.values()].filter((token) => token.special).map((token) => token.content));
    this.#patterns = [false, true].flatMap((normalized) =>
      patternOf([...tokens.values()].filter((token) => token.normalized === normalized)),
    );
  }

  get(id: number): AddedToken | undefined {
    return this.#byId.get(id);
  }

  idOf(content: string): number | undefined {
    return this.#ids.get(content);
  }

  isSpecial(content: string): boolean {
    return this.#special.has(content);
  }

  /** In order of id. */
  entries(): [id: number, token: AddedToken][] {
    return [...this.#byId].sort(([a], [b]) => a - b);
  }

  /** The text as ids of added tokens and the pieces between them. */
  split(text: string): (number | string)[] {
    let pieces: (number | string)[] = [text];
    for (const pattern of this.#patterns) {
      pieces = pieces.flatMap((piece) => (typeof piece === 'string' ? this.#cut(piece, pattern) : [piece]));
    }
    return pieces;
  }

  #cut(text: string, pattern: RegExp): (number | string)[] {
    const pieces: (number | string)[] = [];
    let done = 0;
    for (const match of text.matchAll(pattern)) {
      const id = this.#ids.get(match[0])!;
      const token = this.#byId.get(id)!;
      let start = match.index;
      let end = start + match[0].length;
      if (token.single_word && touchesWord(text, start, end)) continue;
      if (token.lstrip) {
        while (start > done && isSpace(text, start - 1)) start--;
        // The token may itself be white space that the one before it took along.
        start = Math.max(start, done);
      }
      while (token.rstrip && end < text.length && isSpace(text, end)) end++;
      if (start > done) pieces.push(text.slice(done, start));
      if (start < end) pieces.push(id);
      done = end;
    }
    if (done < text.length) pieces.push(text.slice(done));
    return pieces;
  }
}

function touchesWord(text: string, start: number, end: number): boolean {
  // Two units hold the whole neighbour, also outside the basic plane.
  return (
    ENDS_WITH_WORD.test(text.slice(Math.max(0, start - 2), start)) || STARTS_WITH_WORD.test(text.slice(end, end + 2))
  );
}

/** Matches the leftmost and, of those that begin there, the longest token; no pattern for no tokens. */
function patternOf(tokens: readonly AddedToken[]): RegExp[] {
  if (tokens.length === 0) return [];
  const longestFirst = tokens.map((token) => token.content).sort((a, b) => b.length - a.length);
  return [new RegExp(longestFirst.map((content) => content.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|'), 'g')];
}
