import { fail } from '../errors.js';
import { METASPACE } from './metaspace.js';
import type { SentencePiece, SentencePieceFile } from './sentencepiece/index.js';
import type { ScoredToken } from './unigram-encoder.js';
import type { UnigramJson } from './unigram-json.js';

/** How fairseq numbered its tokens, which is not how the SentencePiece model beside them numbers its pieces. */
export interface FairseqLayout {
  /** These come first, in place of so many pieces of the model. */
  before: readonly ScoredToken[];
  replaced: number;
  /** These come last. */
  after: readonly string[];
  /** What a tokenizer.json is to put around texts, unless that depends on their language. */
  surroundings?: Surroundings;
}

/** Tokens before a text, between the two of a pair, and at the end. */
export interface Surroundings {
  prefix: readonly string[];
  between: readonly string[];
  suffix: readonly string[];
}

/**
 * The tokenizer.json that Transformers' conversion makes of a SentencePiece model. It is not the same tokenizer: characters
 * are replaced grapheme by grapheme, no piece reaches across a space, and byte pieces are never used.
 */
export function fairseqJson(
  { model, pieces, normalizer }: SentencePieceFile,
  { before, replaced, after, surroundings }: FairseqLayout,
  path: string,
): UnigramJson {
  if (model !== 'unigram') {
    fail(
      'tokenizer',
      `${path} is a SentencePiece model of type ${model}; these tokenizers need a unigram model. Train it with --model_type=unigram.`,
    );
  }
  const metaspace = { type: 'Metaspace', replacement: METASPACE, prepend_scheme: 'always', split: true } as const;
  const vocab: ScoredToken[] = [
    ...before,
    ...pieces.slice(replaced).map(({ piece, score }): ScoredToken => [piece, score]),
    ...after.map((token): ScoredToken => [token, 0]),
  ];
  const idOf = (sought: string): number => vocab.findIndex(([token]) => token === sought);
  const charsmap = Buffer.from(normalizer.precompiledCharsmap);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: pieces.filter(isAdded).map(({ piece, type }) => ({
      content: piece,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: type === 'control',
    })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        ...(charsmap.length > 0
          ? [{ type: 'Precompiled', precompiled_charsmap: charsmap.toString('base64') } as const]
          : []),
        { type: 'Strip', strip_left: false, strip_right: true },
        { type: 'Replace', pattern: { Regex: ' {2,}' }, content: METASPACE },
      ],
    },
    pre_tokenizer: metaspace,
    post_processor: surroundings ? surroundingsJson(surroundings, idOf) : null,
    decoder: metaspace,
    model: { type: 'Unigram', unk_id: idOf('<unk>'), vocab, byte_fallback: false },
  };
}

const isAdded = ({ type }: SentencePiece): boolean => type === 'control' || type === 'userDefined';

/** A tokenizer.json's `post_processor` that puts these tokens around a text. */
export function surroundingsJson(
  { prefix, between, suffix }: Surroundings,
  idOf: (token: string) => number,
): UnigramJson['post_processor'] {
  const special = (token: string) => ({ SpecialToken: { id: token, type_id: 0 } });
  const text = (id: string) => ({ Sequence: { id, type_id: 0 } });
  const [start, middle, end] = [prefix.map(special), between.map(special), suffix.map(special)];
  const used = [...new Set([...prefix, ...between, ...suffix])].sort();
  return {
    type: 'TemplateProcessing',
    single: [...start, text('A'), ...end],
    pair: [...start, text('A'), ...middle, text('B'), ...end],
    special_tokens: Object.fromEntries(used.map((id) => [id, { id, ids: [idOf(id)], tokens: [id] }])),
  };
}
