import { join } from 'node:path';
import { z } from 'zod';
import { fail } from '../errors.js';
import { addedTokenSchema } from './added-tokens.js';
import { bertNormalizer, bertWords } from './bert-normalizer.js';
import { cleanUpTokenization } from './clean-up.js';
import { readJson } from './files.js';
import {
  type ResolvedTokens,
  type RoleRules,
  readSettings,
  resolveTokens,
  settingsFiles,
  specialIds,
  type TokenizerConfig,
  type TokenizerSettings,
} from './settings.js';
import type { TokenizerLoadOptions, TokenizerSource } from './source.js';
import { SubwordTokenizer } from './subword-tokenizer.js';
import { type PostProcessor, postProcessorSchema, templateOf } from './template.js';
import type { Tokenizer } from './tokenizer.js';
import { checkVocabulary, isObject } from './vocabulary.js';

/** The parts of a tokenizer.json that this family can have. */
const serializedSchema = z.looseObject({
  added_tokens: z.array(addedTokenSchema).default([]),
  normalizer: z.looseObject({ type: z.literal('BertNormalizer'), clean_text: z.boolean().default(true) }),
  pre_tokenizer: z.looseObject({ type: z.literal('BertPreTokenizer') }),
  post_processor: postProcessorSchema.nullable().default(null),
  decoder: z.looseObject({
    type: z.literal('WordPiece'),
    prefix: z.string().default('##'),
    cleanup: z.boolean().default(true),
  }),
  model: z.looseObject({
    type: z.literal('WordPiece').optional(),
    unk_token: z.string().default('[UNK]'),
    continuing_subword_prefix: z.string().default('##'),
    max_input_chars_per_word: z.int().default(100),
    vocab: z.custom<object>(isObject, 'not an object of token ids'),
  }),
});

const casing = z.looseObject({
  do_lower_case: z.boolean().nullish(),
  strip_accents: z.boolean().nullish(),
  tokenize_chinese_chars: z.boolean().nullish(),
});

const ROLES: RoleRules = {
  defaults: { unk: '[UNK]', sep: '[SEP]', pad: '[PAD]', cls: '[CLS]', mask: '[MASK]' },
  cast: (_, content) => content,
};

/** Model type → the class that its files name. */
const CLASSES = { bert: 'BertTokenizer', distilbert: 'DistilBertTokenizer', electra: 'ElectraTokenizer' } as const;
export type WordPieceFamily = keyof typeof CLASSES;

interface Parts {
  family: WordPieceFamily;
  vocab: ReadonlyMap<string, number>;
  unkToken: string;
  prefix: string;
  maxInputChars: number;
  cleanText: boolean;
  cleanup: boolean;
  tokens: ResolvedTokens;
  post: PostProcessor | null;
  config: TokenizerConfig;
}

/**
 * From tokenizer.json, or else vocab.txt, which gives what the fast classes convert it to. As in those classes, the
 * casing that tokenizer_config.json says, lower case where it says nothing, overrides that of tokenizer.json.
 */
export function loadWordPiece(
  files: TokenizerSource,
  { doLowerCase }: TokenizerLoadOptions,
  family: WordPieceFamily,
): Tokenizer {
  const serialized = readJson(files, 'tokenizer.json', serializedSchema);
  const settings = readSettings(files, serialized?.added_tokens ?? []);
  if (doLowerCase) settings.config.do_lower_case = true;
  if (!serialized) {
    const lines = files.readText('vocab.txt')?.split(/\r\n|\r|\n/);
    if (!lines) fail('tokenizer', `${files.place} has no tokenizer.json and no vocab.txt. It needs one of them.`);
    if (lines.at(-1) === '') lines.pop();
    return fromVocabulary(new Map(lines.map((token, id) => [token, id])), settings, family);
  }
  const { added_tokens: listed, normalizer, post_processor: post, decoder, model } = serialized;
  const vocab = checkVocabulary(model.vocab, join(files.place, 'tokenizer.json'));
  return assemble({
    family,
    vocab,
    unkToken: model.unk_token,
    prefix: model.continuing_subword_prefix,
    maxInputChars: model.max_input_chars_per_word,
    cleanText: normalizer.clean_text,
    cleanup: decoder.cleanup,
    tokens: resolveTokens(vocab, listed, settings, ROLES),
    post,
    config: settings.config,
  });
}

export interface WordPieceOptions {
  /** In order of id, special tokens included. */
  vocab: readonly string[];
  /** Default `bert`. */
  family?: WordPieceFamily;
  /** Default true. */
  doLowerCase?: boolean;
  modelMaxLength?: number;
}

/** A tokenizer made in memory. */
export function createWordPiece({ vocab, family = 'bert', doLowerCase, modelMaxLength }: WordPieceOptions): Tokenizer {
  const config = {
    ...(doLowerCase !== undefined && { do_lower_case: doLowerCase }),
    ...(modelMaxLength !== undefined && { model_max_length: modelMaxLength }),
  };
  return fromVocabulary(new Map(vocab.map((token, id) => [token, id])), { config, added: [] }, family);
}

function fromVocabulary(
  vocab: ReadonlyMap<string, number>,
  settings: TokenizerSettings,
  family: WordPieceFamily,
): Tokenizer {
  if (vocab.size === 0) fail('tokenizer', 'vocab.txt has no tokens. Download the file again.');
  // The slow class, which a tokenizer without tokenizer.json goes through, cleans up.
  const config = { clean_up_tokenization_spaces: true, ...settings.config };
  const tokens = resolveTokens(vocab, [], settings, ROLES);
  const ids = specialIds(tokens);
  const special = (['cls', 'sep'] as const).flatMap((role): [string, number][] => {
    const content = tokens.roles.get(role);
    return content === undefined ? [] : [[content, ids[role]!]];
  });
  const [cls, sep] = special.map(([id]) => ({ SpecialToken: { id, type_id: 0 } }));
  const [first, second] = ['A', 'B'].map((id, type_id) => ({ Sequence: { id, type_id } }));
  const post: PostProcessor | null =
    cls && sep
      ? {
          type: 'TemplateProcessing',
          single: [cls, first!, sep],
          pair: [cls, first!, sep, second!, { SpecialToken: { ...sep.SpecialToken, type_id: 1 } }],
          special_tokens: Object.fromEntries(special.map(([id, n]) => [id, { id, ids: [n], tokens: [id] }])),
        }
      : null;
  return assemble({
    family,
    vocab,
    unkToken: tokens.roles.get('unk') ?? '[UNK]',
    prefix: '##',
    maxInputChars: 100,
    cleanText: true,
    cleanup: true,
    tokens,
    post,
    config,
  });
}

function assemble(parts: Parts): Tokenizer {
  const { vocab, unkToken, prefix, maxInputChars, cleanup, tokens, post, config } = parts;
  const { do_lower_case, strip_accents, tokenize_chinese_chars } = casing.parse(config);
  const template = templateOf(post);
  const spell = (word: string, out: number[]) => {
    const before = out.length;
    let whole = word.length <= maxInputChars || Array.from(word).length <= maxInputChars;
    for (let start = 0; whole && start < word.length; ) {
      const lead = start > 0 ? prefix : '';
      let end = word.length;
      let id: number | undefined;
      for (; end > start; end--) {
        id = vocab.get(lead + word.slice(start, end));
        if (id !== undefined) break;
      }
      whole = id !== undefined;
      if (id !== undefined) out.push(id);
      start = end;
    }
    if (whole) return;
    out.length = before;
    const unknown = vocab.get(unkToken);
    if (unknown === undefined) {
      fail('tokenizer', `"${word.slice(0, 40)}" cannot be spelled, and the vocabulary has no ${unkToken}. Add it.`);
    }
    out.push(unknown);
  };
  return new SubwordTokenizer({
    kind: 'wordpiece',
    modelType: parts.family,
    model: {
      vocab,
      normalize: bertNormalizer({
        cleanText: parts.cleanText,
        tokenizeChineseChars: tokenize_chinese_chars ?? true,
        stripAccents: strip_accents ?? undefined,
        lowercase: do_lower_case ?? true,
      }),
      encode(text, out, limit) {
        for (const word of bertWords(text)) {
          if (out.length >= limit) return;
          spell(word, out);
        }
      },
      decode: (pieces) => pieces.map((piece, i) => joined(piece, i, prefix, cleanup)).join(''),
    },
    tokens,
    template: () => template,
    config,
    withTokens: (changed) => assemble({ ...parts, tokens: changed }),
    files: () => filesOf(parts),
  });
}

/** A piece as it stands in a text: one that does not continue a word has a space before it, but not before a sign. */
function joined(piece: string, index: number, prefix: string, cleanup: boolean): string {
  const text = index === 0 ? piece : piece.startsWith(prefix) ? piece.slice(prefix.length) : ` ${piece}`;
  return cleanup ? cleanUpTokenization(text).replaceAll(' do not', " don't") : text;
}

function filesOf(parts: Parts): ReadonlyMap<string, string> {
  const { family, vocab, unkToken, prefix, maxInputChars, cleanText, cleanup, tokens, post, config } = parts;
  const said = { do_lower_case: true, strip_accents: null, tokenize_chinese_chars: true, ...config };
  const lines: string[] = [];
  for (const [token, id] of vocab) lines[id] = token;
  const serialized = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: tokens.added.entries().map(([id, token]) => ({ id, ...token })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: cleanText,
      handle_chinese_chars: said.tokenize_chinese_chars,
      strip_accents: said.strip_accents,
      lowercase: said.do_lower_case,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: post,
    decoder: { type: 'WordPiece', prefix, cleanup },
    model: {
      type: 'WordPiece',
      unk_token: unkToken,
      continuing_subword_prefix: prefix,
      max_input_chars_per_word: maxInputChars,
      vocab: Object.fromEntries(vocab),
    },
  };
  return new Map([
    ['tokenizer.json', JSON.stringify(serialized)],
    ['vocab.txt', Array.from(lines, (token) => `${token ?? ''}\n`).join('')],
    ...settingsFiles({ ...said, tokenizer_class: CLASSES[family] }, tokens, vocab),
  ]);
}
