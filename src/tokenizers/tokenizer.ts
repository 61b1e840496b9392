/** Ids of the tokens that have a role; a role the vocabulary does not fill is absent. */
export interface SpecialTokenIds {
  bos?: number;
  eos?: number;
  unk?: number;
  sep?: number;
  pad?: number;
  cls?: number;
  mask?: number;
}

export interface EncodeOptions {
  /** Most tokens to return, special tokens included; the rest of the text is cut off. */
  maxLength?: number | undefined;
  /** Whether to put the special tokens around the text (`<s> … </s>`). Default true. */
  addSpecialTokens?: boolean | undefined;
  /** Tokenise as the target side, where a family tells the two sides apart. */
  target?: boolean | undefined;
  /** Language code of the text; only the families that mark texts with one (mBART) look at it. */
  language?: string | undefined;
}

export interface DecodeOptions {
  /** Leave special tokens out of the text. Default false. */
  skipSpecialTokens?: boolean | undefined;
  /** Remove the spaces before English punctuation and contractions. Default: what the tokenizer's config says. */
  cleanUpTokenizationSpaces?: boolean | undefined;
}

/** How texts are spread over worker threads. */
export interface EncodingThreads {
  /** How many, of which 1 is this thread. Default: as many as there are processors, up to 8. */
  workers?: number | undefined;
  /** Most texts that a worker takes at once. Default 2,000. */
  chunk?: number | undefined;
  /** Do so with few texts as well, where it takes longer than in this thread. Default false. */
  always?: boolean | undefined;
  /** Stops the work, and its threads. */
  signal?: AbortSignal | undefined;
}

/** Tokens of some texts, one behind the other: text i has ids[offsets[i] … offsets[i + 1]). */
export interface PackedTokens {
  ids: Int32Array<ArrayBuffer>;
  offsets: Uint32Array<ArrayBuffer>;
  /** How many texts were longer than the most tokens asked for. */
  cut: number;
}

/** Special tokens to add: those without a role, or by name as in Hugging Face's files, such as `sep_token`. */
export type NewSpecialTokens = readonly string[] | Readonly<Record<string, string | readonly string[]>>;

/** Text to token ids and back, whatever the family. */
export interface Tokenizer {
  /** The family, such as `byte-level-bpe`. */
  readonly kind: string;
  /** With this, `loadTokenizer` makes the same tokenizer of {@link files}; worker threads do. Without, there are none. */
  readonly modelType?: string;
  /** Number of tokens, added ones included: Python's `len(tokenizer)`. */
  readonly vocabSize: number;
  /** Where the target side has a vocabulary of its own, the number of ids that it has. */
  readonly targetVocabSize?: number;
  readonly special: SpecialTokenIds;
  /** Longest input the model was made for, in tokens, if the checkpoint says so. */
  readonly modelMaxLength?: number;

  encode(text: string, options?: EncodeOptions): Int32Array;
  /** As {@link encode}, without holding up the event loop: many texts are tokenised in worker threads. */
  encodeBatch(texts: readonly string[], options?: EncodeOptions, threads?: EncodingThreads): Promise<Int32Array[]>;
  /** As {@link encodeBatch}, some texts at a time. */
  encodeChunks(
    texts: readonly string[],
    options?: EncodeOptions,
    threads?: EncodingThreads,
  ): AsyncIterable<PackedTokens>;
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  decodeBatch(batch: readonly ArrayLike<number>[], options?: DecodeOptions): string[];

  idOf(token: string): number | undefined;
  tokenOf(id: number): string | undefined;

  /** A tokenizer with further special tokens: as Python's `add_special_tokens`, a list being `additional_special_tokens`. */
  withAddedTokens(tokens: NewSpecialTokens): Tokenizer;

  /** File name → content: what Python's AutoTokenizer (fast and slow) needs to load this tokenizer from a folder. */
  files(): ReadonlyMap<string, string | Uint8Array>;
}
