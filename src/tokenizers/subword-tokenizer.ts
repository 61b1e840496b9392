import { setImmediate } from 'node:timers/promises';
import { fail } from '../errors.js';
import { cleanUpTokenization } from './clean-up.js';
import { lengthLimit, type ResolvedTokens, specialIds, type TokenizerConfig } from './settings.js';
import type { Template } from './template.js';
import type { DecodeOptions, EncodeOptions, SpecialTokenIds, Tokenizer } from './tokenizer.js';

/** The part of a tokenizer that is its family's own: text without added tokens to ids, tokens to text. */
export interface SubwordModel {
  readonly vocab: ReadonlyMap<string, number>;
  /** Appends ids to `out`; may stop as soon as it holds `limit` of them. */
  encode(text: string, out: number[], limit: number): void;
  decode(tokens: readonly string[]): string;
}

export interface SubwordTokenizerParts {
  kind: string;
  model: SubwordModel;
  tokens: ResolvedTokens;
  template: Template;
  config: TokenizerConfig;
  files: () => ReadonlyMap<string, string | Uint8Array>;
}

const BARE: Template = { prefix: [], suffix: [] };
/** How long a batch keeps the event loop waiting at a time. */
const SLICE_MS = 8;

/** What all families share: added tokens, special tokens around the text, truncation, batches. */
export class SubwordTokenizer implements Tokenizer {
  readonly kind: string;
  readonly vocabSize: number;
  readonly special: SpecialTokenIds;
  readonly modelMaxLength?: number;
  readonly files: Tokenizer['files'];
  readonly #parts: SubwordTokenizerParts;
  readonly #tokens: readonly (string | undefined)[];

  constructor(parts: SubwordTokenizerParts) {
    this.kind = parts.kind;
    this.vocabSize = parts.tokens.size;
    this.special = specialIds(parts.tokens);
    const limit = lengthLimit(parts.config);
    if (limit !== undefined) this.modelMaxLength = limit;
    this.files = parts.files;
    this.#parts = parts;
    const tokens: string[] = [];
    for (const [token, id] of parts.model.vocab) tokens[id] = token;
    for (const [id, token] of parts.tokens.added.entries()) tokens[id] = token.content;
    this.#tokens = tokens;
  }

  encode(
    text: string,
    { maxLength = Number.POSITIVE_INFINITY, addSpecialTokens = true }: EncodeOptions = {},
  ): Int32Array {
    if (typeof text !== 'string') fail('tokenizer', `only a string can be tokenised, not ${JSON.stringify(text)}.`);
    const { model, tokens, template, config } = this.#parts;
    const { prefix, suffix } = addSpecialTokens ? template : BARE;
    const room = maxLength - prefix.length - suffix.length;
    if (!(room >= 0)) {
      fail(
        'tokenizer',
        `a length of ${maxLength} has no room for the ${prefix.length + suffix.length} special tokens. Raise it.`,
      );
    }
    const fromLeft = config.truncation_side === 'left';
    const ids: number[] = [];
    for (const piece of tokens.added.split(text)) {
      if (!fromLeft && ids.length >= room) break;
      if (typeof piece === 'number') ids.push(piece);
      else model.encode(piece, ids, fromLeft ? Number.POSITIVE_INFINITY : room);
    }
    const excess = Math.max(0, ids.length - room);
    const kept = excess === 0 ? ids : fromLeft ? ids.slice(excess) : ids.slice(0, room);
    const encoded = new Int32Array(prefix.length + kept.length + suffix.length);
    encoded.set(prefix);
    encoded.set(kept, prefix.length);
    encoded.set(suffix, prefix.length + kept.length);
    return encoded;
  }

  async encodeBatch(texts: readonly string[], options?: EncodeOptions): Promise<Int32Array[]> {
    const encoded: Int32Array[] = [];
    let pause = performance.now() + SLICE_MS;
    for (const text of texts) {
      encoded.push(this.encode(text, options));
      if (performance.now() < pause) continue;
      await setImmediate();
      pause = performance.now() + SLICE_MS;
    }
    return encoded;
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const { model, tokens, config } = this.#parts;
    const { skipSpecialTokens = false, cleanUpTokenizationSpaces = config.clean_up_tokenization_spaces ?? false } =
      options;
    const kept: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const token = this.#tokens[ids[i]!];
      if (token === undefined) {
        fail(
          'tokenizer',
          `there is no token of id ${ids[i]} (at ${i} of ${ids.length}); this vocabulary has ${this.vocabSize} tokens. Check that model and tokenizer belong together.`,
        );
      }
      if (!(skipSpecialTokens && tokens.added.isSpecial(token))) kept.push(token);
    }
    const text = model.decode(kept);
    return cleanUpTokenizationSpaces ? cleanUpTokenization(text) : text;
  }

  decodeBatch(batch: readonly ArrayLike<number>[], options?: DecodeOptions): string[] {
    return batch.map((ids) => this.decode(ids, options));
  }

  idOf(token: string): number | undefined {
    return this.#parts.tokens.added.idOf(token) ?? this.#parts.model.vocab.get(token);
  }

  tokenOf(id: number): string | undefined {
    return this.#tokens[id];
  }
}
