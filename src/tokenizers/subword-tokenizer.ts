import { fail } from '../errors.js';
import { cleanUpTokenization } from './clean-up.js';
import { lengthLimit, type ResolvedTokens, specialIds, type TokenizerConfig, withSpecialTokens } from './settings.js';
import type { Template } from './template.js';
import type {
  DecodeOptions,
  EncodeOptions,
  EncodingThreads,
  NewSpecialTokens,
  PackedTokens,
  SpecialTokenIds,
  Tokenizer,
} from './tokenizer.js';
import { encodeChunks } from './workers/index.js';

/** The part of a tokenizer that is its family's own: text without added tokens to ids, tokens to text. */
export interface SubwordModel {
  readonly vocab: ReadonlyMap<string, number>;
  /** What a text is turned into before added tokens that are `normalized` are sought, and what `encode` then gets. */
  normalize?: (text: string) => string;
  /** Appends ids to `out`; may stop as soon as it holds `limit` of them. */
  encode(text: string, out: number[], limit: number): void;
  decode(tokens: readonly string[]): string;
  /** The token of ids that have none; without one, such ids are an error. */
  unknownToken?: string;
}

export interface SubwordTokenizerParts {
  kind: string;
  modelType?: string;
  model: SubwordModel;
  /** Where a family tells the two sides apart: encodes texts of the target side, and decodes, since answers are of it. */
  targetModel?: SubwordModel;
  tokens: ResolvedTokens;
  /** Takes the added tokens out of a text, where a family does it otherwise than {@link AddedTokens.split}. */
  cut?: (text: string) => (number | string)[];
  /** What goes around a text of this side and language. */
  template: (options: EncodeOptions) => Template;
  config: TokenizerConfig;
  /** The same tokenizer with these special tokens. */
  withTokens: (tokens: ResolvedTokens) => Tokenizer;
  files: () => ReadonlyMap<string, string | Uint8Array>;
}

const BARE: Template = { prefix: [], suffix: [] };

/** What all families share: added tokens, special tokens around the text, truncation, batches. */
export class SubwordTokenizer implements Tokenizer {
  readonly kind: string;
  readonly modelType?: string;
  readonly vocabSize: number;
  readonly special: SpecialTokenIds;
  readonly modelMaxLength?: number;
  readonly targetVocabSize?: number;
  readonly files: Tokenizer['files'];
  readonly #parts: SubwordTokenizerParts;
  readonly #output: SubwordModel;
  readonly #tokens: readonly (string | undefined)[];

  constructor(parts: SubwordTokenizerParts) {
    this.kind = parts.kind;
    if (parts.modelType !== undefined) this.modelType = parts.modelType;
    this.vocabSize = parts.tokens.size;
    this.special = specialIds(parts.tokens);
    const limit = lengthLimit(parts.config);
    if (limit !== undefined) this.modelMaxLength = limit;
    this.files = parts.files;
    this.#parts = parts;
    this.#output = parts.targetModel ?? parts.model;
    const tokens: string[] = [];
    for (const [token, id] of this.#output.vocab) tokens[id] = token;
    for (const [id, token] of parts.tokens.added.entries()) tokens[id] = token.content;
    this.#tokens = tokens;
    if (this.#output.vocab !== parts.model.vocab) this.targetVocabSize = tokens.length;
  }

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const { maxLength = Number.POSITIVE_INFINITY, addSpecialTokens = true, target = false } = options;
    if (typeof text !== 'string') fail('tokenizer', `only a string can be tokenised, not ${JSON.stringify(text)}.`);
    const { tokens, cut, template, config, targetModel } = this.#parts;
    const model = (target && targetModel) || this.#parts.model;
    const { prefix, suffix } = addSpecialTokens ? template(options) : BARE;
    const room = maxLength - prefix.length - suffix.length;
    if (!(room >= 0)) {
      fail(
        'tokenizer',
        `a length of ${maxLength} has no room for the ${prefix.length + suffix.length} special tokens. Raise it.`,
      );
    }
    const fromLeft = config.truncation_side === 'left';
    const ids: number[] = [];
    for (const piece of cut ? cut(text) : tokens.added.split(text, model.normalize)) {
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

  async encodeBatch(
    texts: readonly string[],
    options?: EncodeOptions,
    threads?: EncodingThreads,
  ): Promise<Int32Array[]> {
    const encoded: Int32Array[] = [];
    for await (const { ids, offsets } of this.encodeChunks(texts, options, threads)) {
      for (let i = 1; i < offsets.length; i++) encoded.push(ids.subarray(offsets[i - 1], offsets[i]));
    }
    return encoded;
  }

  encodeChunks(
    texts: readonly string[],
    options: EncodeOptions = {},
    threads?: EncodingThreads,
  ): AsyncIterable<PackedTokens> {
    return encodeChunks(this, texts, options, threads);
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const { tokens, config } = this.#parts;
    const { skipSpecialTokens = false, cleanUpTokenizationSpaces = config.clean_up_tokenization_spaces ?? false } =
      options;
    const kept: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const token = this.#tokens[ids[i]!] ?? this.#output.unknownToken;
      if (token === undefined) {
        fail(
          'tokenizer',
          `there is no token of id ${ids[i]} (at ${i} of ${ids.length}); this vocabulary has ${this.vocabSize} tokens. Check that model and tokenizer belong together.`,
        );
      }
      if (!(skipSpecialTokens && tokens.added.isSpecial(token))) kept.push(token);
    }
    const text = this.#output.decode(kept);
    return cleanUpTokenizationSpaces ? cleanUpTokenization(text) : text;
  }

  decodeBatch(batch: readonly ArrayLike<number>[], options?: DecodeOptions): string[] {
    return batch.map((ids) => this.decode(ids, options));
  }

  withAddedTokens(requested: NewSpecialTokens): Tokenizer {
    const { model, tokens, withTokens } = this.#parts;
    return withTokens(withSpecialTokens(model.vocab, tokens, requested));
  }

  idOf(token: string): number | undefined {
    return this.#parts.tokens.added.idOf(token) ?? this.#output.vocab.get(token);
  }

  tokenOf(id: number): string | undefined {
    return this.#tokens[id];
  }
}
