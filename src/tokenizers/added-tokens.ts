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
  /** Sought in the text as it is, and after those, in the normalised one. */
  readonly #plain: Finder;
  readonly #normalized: readonly [id: number, token: AddedToken][];
  #finder: { normalize: Normalize; finder: Finder };

  constructor(tokens: ReadonlyMap<number, AddedToken>) {
    this.#byId = tokens;
    this.#ids = new Map([...tokens].map(([id, token]) => [token.content, id]));
    this.#special = new Set([...tokens.values()].filter((token) => token.special).map((token) => token.content));
    this.#plain = finderOf([...tokens].filter(([, token]) => !token.normalized));
    this.#normalized = [...tokens].filter(([, token]) => token.normalized);
    this.#finder = { normalize: asItIs, finder: finderOf(this.#normalized) };
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

  /** The text as ids of added tokens and the pieces between them, normalised. */
  split(text: string, normalize: Normalize = asItIs): (number | string)[] {
    if (this.#finder.normalize !== normalize) {
      const normalized = this.#normalized.map(([id, token]): [number, AddedToken] => [
        id,
        { ...token, content: normalize(token.content) },
      ]);
      this.#finder = { normalize, finder: finderOf(normalized) };
    }
    const { finder } = this.#finder;
    return cut(text, this.#plain).flatMap((piece) =>
      typeof piece === 'string' ? cut(normalize(piece), finder) : [piece],
    );
  }
}

type Normalize = (text: string) => string;
const asItIs: Normalize = (text) => text;

interface Finder {
  /** Matches the leftmost and, of those that begin there, the longest token. */
  pattern?: RegExp;
  found: ReadonlyMap<string, readonly [id: number, token: AddedToken]>;
}

function finderOf(tokens: readonly (readonly [id: number, token: AddedToken])[]): Finder {
  const found = new Map(tokens.filter(([, { content }]) => content !== '').map((entry) => [entry[1].content, entry]));
  if (found.size === 0) return { found };
  const longestFirst = [...found.keys()].sort((a, b) => b.length - a.length);
  const alternatives = longestFirst.map((content) => content.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return { pattern: new RegExp(alternatives.join('|'), 'g'), found };
}

function cut(text: string, { pattern, found }: Finder): (number | string)[] {
  const pieces: (number | string)[] = [];
  let done = 0;
  for (const match of pattern ? text.matchAll(pattern) : []) {
    const [id, token] = found.get(match[0])!;
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

function touchesWord(text: string, start: number, end: number): boolean {
  // Two units hold the whole neighbour, also outside the basic plane.
  return (
    ENDS_WITH_WORD.test(text.slice(Math.max(0, start - 2), start)) || STARTS_WITH_WORD.test(text.slice(end, end + 2))
  );
}
