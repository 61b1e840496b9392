import { join } from 'node:path';
import { z } from 'zod';
import { fail } from '../errors.js';
import { type AddedToken, addedTokenSchema } from './added-tokens.js';
import { fromByteAlphabet } from './byte-alphabet.js';
import { BytePairEncoder, type Merge } from './byte-pair-encoder.js';
import { readJson } from './files.js';
import {
  type ResolvedTokens,
  type Role,
  type RoleRules,
  readSettings,
  resolveTokens,
  settingsFiles,
  specialIds,
  type TokenizerConfig,
  type TokenizerSettings,
} from './settings.js';
import type { TokenizerSource } from './source.js';
import { type SubwordModel, SubwordTokenizer } from './subword-tokenizer.js';
import { type PostProcessor, postProcessorSchema, templateOf } from './template.js';
import type { Tokenizer } from './tokenizer.js';
import { checkVocabulary, isObject } from './vocabulary.js';
import { wordEnd } from './words.js';

/** The parts of a tokenizer.json that this family can have. */
const serializedSchema = z.looseObject({
  added_tokens: z.array(addedTokenSchema).default([]),
  normalizer: z.null().optional(),
  pre_tokenizer: z.looseObject({ type: z.literal('ByteLevel'), use_regex: z.literal(true).optional() }),
  post_processor: postProcessorSchema.nullable().default(null),
  decoder: z.looseObject({ type: z.literal('ByteLevel') }),
  model: z.looseObject({
    type: z.literal('BPE').optional(),
    dropout: z.literal(0).nullish(),
    unk_token: z.string().nullish(),
    continuing_subword_prefix: z.literal('').nullish(),
    end_of_word_suffix: z.literal('').nullish(),
    fuse_unk: z.boolean().default(false),
    byte_fallback: z.literal(false).optional(),
    ignore_merges: z.boolean().default(false),
    vocab: z.custom<object>(isObject, 'not an object of token ids'),
    // Written as one string by older versions.
    merges: z.array(z.union([z.tuple([z.string(), z.string()]), z.string()])),
  }),
});

const DEFAULTS = { bos: '<s>', eos: '</s>', unk: '<unk>', sep: '</s>', pad: '<pad>', cls: '<s>', mask: '<mask>' };

/** What the tokenizer classes of a model type make of plain strings. */
export type ByteLevelFamily = 'bart' | 'roberta';
interface FamilyRules {
  tokenizerClass: string;
  /** With a tokenizer.json: only the mask, which takes the space before it along, is not as it is found. */
  fast: RoleRules;
  /** Without one, a tokenizer goes through the slow class. */
  slow: RoleRules;
}
const FAMILIES: Readonly<Record<ByteLevelFamily, FamilyRules>> = {
  bart: rulesOf('BartTokenizer', true),
  roberta: rulesOf('RobertaTokenizer', false),
};

function rulesOf(tokenizerClass: string, maskNormalized: boolean): FamilyRules {
  const cast = (role: Role, content: string): AddedToken => ({
    content,
    single_word: false,
    lstrip: role === 'mask',
    rstrip: false,
    normalized: role !== 'mask' || maskNormalized,
    special: true,
  });
  return {
    tokenizerClass,
    fast: { defaults: DEFAULTS, cast: (role, content) => (role === 'mask' ? cast(role, content) : content) },
    slow: { defaults: DEFAULTS, cast },
  };
}

interface Parts {
  family: ByteLevelFamily;
  vocab: ReadonlyMap<string, number>;
  merges: readonly Merge[];
  unkToken?: string | null | undefined;
  fuseUnk?: boolean;
  ignoreMerges?: boolean;
  tokens: ResolvedTokens;
  post: PostProcessor | null;
  config: TokenizerConfig;
}

/** From a folder with tokenizer.json, or else vocab.json and merges.txt. */
export function loadByteLevelBpe(files: TokenizerSource, family: ByteLevelFamily): Tokenizer {
  const serialized = readJson(files, 'tokenizer.json', serializedSchema);
  if (!serialized) return loadSlow(files, family);
  const { model, added_tokens: listed, post_processor: post } = serialized;
  const path = join(files.place, 'tokenizer.json');
  const vocab = checkVocabulary(model.vocab, path);
  const merges = model.merges.map((merge, i) =>
    typeof merge === 'string' ? parseMerge(merge, `merge ${i + 1} of ${path}`) : merge,
  );
  const settings = readSettings(files, listed);
  return assemble({
    family,
    vocab,
    merges,
    unkToken: model.unk_token,
    fuseUnk: model.fuse_unk,
    ignoreMerges: model.ignore_merges,
    tokens: resolveTokens(vocab, listed, settings, FAMILIES[family].fast),
    post,
    config: settings.config,
  });
}

function loadSlow(files: TokenizerSource, family: ByteLevelFamily): Tokenizer {
  const vocab = readJson(files, 'vocab.json', z.custom<object>(isObject, 'not an object of token ids'));
  const merges = files.readText('merges.txt');
  if (!vocab || merges === undefined) {
    const missing = [
      'tokenizer.json',
      ...(vocab ? [] : ['vocab.json']),
      ...(merges === undefined ? ['merges.txt'] : []),
    ];
    fail(
      'tokenizer',
      `${files.place} has no ${missing.join(' and no ')}. It needs tokenizer.json, or vocab.json and merges.txt.`,
    );
  }
  const settings = readSettings(files, []);
  return fromVocabulary(
    checkVocabulary(vocab, join(files.place, 'vocab.json')),
    parseMerges(merges, join(files.place, 'merges.txt')),
    settings,
    family,
  );
}

export interface ByteLevelBpeOptions {
  /** Token → id, special tokens included; {@link bartVocabulary} makes one. */
  vocab: Readonly<Record<string, number>>;
  /** In order of rank. */
  merges: readonly Merge[];
  /** Default `bart`. */
  family?: ByteLevelFamily;
  /** Take the first word of a text as any other, as if a space stood before it. */
  addPrefixSpace?: boolean;
  modelMaxLength?: number;
}

/** A tokenizer made in memory. */
export function createByteLevelBpe({
  vocab,
  merges,
  family = 'bart',
  addPrefixSpace,
  modelMaxLength,
}: ByteLevelBpeOptions): Tokenizer {
  const config = {
    ...(addPrefixSpace !== undefined && { add_prefix_space: addPrefixSpace }),
    ...(modelMaxLength !== undefined && { model_max_length: modelMaxLength }),
  };
  return fromVocabulary(checkVocabulary(vocab, 'createByteLevelBpe'), merges, { config, added: [] }, family);
}

/** BART's layout of ids: `<s>` 0, `<pad>` 1, `</s>` 2, `<unk>` 3, the given tokens, and `<mask>` last. */
export function bartVocabulary(tokens: Iterable<string>): Record<string, number> {
  const { bos, pad, eos, unk, mask } = DEFAULTS;
  const distinct = new Set([bos, pad, eos, unk, ...tokens]);
  return Object.fromEntries([...distinct, mask].map((token, id) => [token, id]));
}

function fromVocabulary(
  vocab: ReadonlyMap<string, number>,
  merges: readonly Merge[],
  settings: TokenizerSettings,
  family: ByteLevelFamily,
): Tokenizer {
  const tokens = resolveTokens(vocab, [], settings, FAMILIES[family].slow);
  const [cls, sep] = [tokens.roles.get('cls'), tokens.roles.get('sep')];
  const ids = specialIds(tokens);
  const post: PostProcessor | null =
    cls !== undefined && sep !== undefined
      ? {
          type: 'RobertaProcessing',
          sep: [sep, ids.sep!],
          cls: [cls, ids.cls!],
          trim_offsets: true,
          add_prefix_space: false,
        }
      : null;
  return assemble({ family, vocab, merges, tokens, post, config: settings.config });
}

function assemble(parts: Parts): Tokenizer {
  const { vocab, merges, unkToken, fuseUnk, ignoreMerges, tokens, post, config } = parts;
  const unkId = unkToken == null ? undefined : vocab.get(unkToken);
  const words = new BytePairEncoder(vocab, merges, { unkId, fuseUnk, ignoreMerges });
  const model: SubwordModel = {
    vocab,
    encode(text, out, limit) {
      const prefixed = config.add_prefix_space && !text.startsWith(' ') ? ` ${text}` : text;
      for (let start = 0; start < prefixed.length && out.length < limit; ) {
        const end = wordEnd(prefixed, start);
        words.encode(prefixed.slice(start, end), out);
        start = end;
      }
    },
    decode: fromByteAlphabet,
  };
  const template = templateOf(post);
  return new SubwordTokenizer({
    kind: 'byte-level-bpe',
    modelType: parts.family,
    model,
    tokens,
    template: () => template,
    config,
    withTokens: (changed) => assemble({ ...parts, tokens: changed }),
    files: () => filesOf(parts),
  });
}

function filesOf(parts: Parts): ReadonlyMap<string, string> {
  const { family, vocab, merges, tokens, config } = parts;
  const defaults = {
    add_prefix_space: false,
    errors: 'replace',
    trim_offsets: true,
  };
  const vocabulary = Object.fromEntries(vocab);
  const mergeLines = merges.map((merge) => merge.join(' '));
  return new Map([
    ['tokenizer.json', JSON.stringify(serialize(parts, vocabulary, mergeLines))],
    ['vocab.json', JSON.stringify(vocabulary)],
    ['merges.txt', ['#version: 0.2', ...mergeLines, ''].join('\n')],
    ...settingsFiles({ ...defaults, ...config, tokenizer_class: FAMILIES[family].tokenizerClass }, tokens, vocab),
  ]);
}

/** As tokenizer.json has it; merges as single strings, which all versions of its library read. */
function serialize(
  { unkToken, fuseUnk, ignoreMerges, tokens, post, config }: Parts,
  vocab: Readonly<Record<string, number>>,
  merges: readonly string[],
): object {
  const byteLevel = { type: 'ByteLevel', trim_offsets: true, use_regex: true };
  const addPrefixSpace = config.add_prefix_space ?? false;
  // The fast classes put what their settings say, or leave out, in the place of what tokenizer.json does.
  const changed = { add_prefix_space: addPrefixSpace, trim_offsets: config.trim_offsets ?? true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: tokens.added.entries().map(([id, token]) => ({ id, ...token })),
    normalizer: null,
    pre_tokenizer: { ...byteLevel, add_prefix_space: addPrefixSpace },
    post_processor: post && 'add_prefix_space' in post ? { ...post, ...changed } : post,
    decoder: { ...byteLevel, add_prefix_space: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: unkToken ?? null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: fuseUnk ?? false,
      byte_fallback: false,
      ignore_merges: ignoreMerges ?? false,
      vocab,
      merges,
    },
  };
}

/**
 * merges.txt as the reference reads it: the first line is the version, whatever it says, and what follows the last newline
 * does not count.
 */
function parseMerges(text: string, path: string): Merge[] {
  const lines = text.split('\n').slice(1, -1);
  return lines.flatMap((line, i) => (line.trim() === '' ? [] : [parseMerge(line.trimEnd(), `${path}, line ${i + 2}`)]));
}

function parseMerge(text: string, where: string): Merge {
  const [left, right, ...more] = text.split(' ');
  if (!left || !right || more.length > 0) {
    fail(
      'tokenizer',
      `${where}: "${text.slice(0, 80)}" is not two tokens with a space between them. Download the file again.`,
    );
  }
  return [left, right];
}
