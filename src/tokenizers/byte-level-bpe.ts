import { join } from 'node:path';
import { z } from 'zod';
import { fail } from '../errors.js';
import { addedTokenSchema } from './added-tokens.js';
import { fromByteAlphabet } from './byte-alphabet.js';
import { BytePairEncoder, type Merge } from './byte-pair-encoder.js';
import { readJson, readText } from './files.js';
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
import { type SubwordModel, SubwordTokenizer } from './subword-tokenizer.js';
import { type PostProcessor, postProcessorSchema, templateOf } from './template.js';
import type { Tokenizer } from './tokenizer.js';
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

/** What BartTokenizerFast makes of a plain string: only the mask, which takes the space before it along, is its own. */
const FAST_ROLES: RoleRules = {
  defaults: { bos: '<s>', eos: '</s>', unk: '<unk>', sep: '</s>', pad: '<pad>', cls: '<s>', mask: '<mask>' },
  cast: (role, content) => (role === 'mask' ? SLOW_ROLES.cast(role, content) : content),
};
/** And what BartTokenizer makes of one, which a tokenizer without tokenizer.json goes through. */
const SLOW_ROLES: RoleRules = {
  defaults: FAST_ROLES.defaults,
  cast: (role, content) => ({
    content,
    single_word: false,
    lstrip: role === 'mask',
    rstrip: false,
    normalized: true,
    special: true,
  }),
};

interface Parts {
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
export function loadByteLevelBpe(directory: string): Tokenizer {
  const serialized = readJson(directory, 'tokenizer.json', serializedSchema);
  if (!serialized) return loadSlow(directory);
  const { model, added_tokens: listed, post_processor: post } = serialized;
  const path = join(directory, 'tokenizer.json');
  const vocab = checkVocabulary(model.vocab, path);
  const merges = model.merges.map((merge, i) =>
    typeof merge === 'string' ? parseMerge(merge, `merge ${i + 1} of ${path}`) : merge,
  );
  const settings = readSettings(directory, listed);
  return assemble({
    vocab,
    merges,
    unkToken: model.unk_token,
    fuseUnk: model.fuse_unk,
    ignoreMerges: model.ignore_merges,
    tokens: resolveTokens(vocab, listed, settings, FAST_ROLES),
    post,
    config: settings.config,
  });
}

function loadSlow(directory: string): Tokenizer {
  const vocab = readJson(directory, 'vocab.json', z.custom<object>(isObject, 'not an object of token ids'));
  const merges = readText(directory, 'merges.txt');
  if (!vocab || merges === undefined) {
    const missing = [
      'tokenizer.json',
      ...(vocab ? [] : ['vocab.json']),
      ...(merges === undefined ? ['merges.txt'] : []),
    ];
    fail(
      'tokenizer',
      `${directory} has no ${missing.join(' and no ')}. It needs tokenizer.json, or vocab.json and merges.txt.`,
    );
  }
  const settings = readSettings(directory, []);
  return fromVocabulary(
    checkVocabulary(vocab, join(directory, 'vocab.json')),
    parseMerges(merges, join(directory, 'merges.txt')),
    settings,
  );
}

export interface ByteLevelBpeOptions {
  /** Token → id, special tokens included; {@link bartVocabulary} makes one. */
  vocab: Readonly<Record<string, number>>;
  /** In order of rank. */
  merges: readonly Merge[];
  /** Take the first word of a text as any other, as if a space stood before it. */
  addPrefixSpace?: boolean;
  modelMaxLength?: number;
}

/** A tokenizer made in memory. */
export function createByteLevelBpe({ vocab, merges, addPrefixSpace, modelMaxLength }: ByteLevelBpeOptions): Tokenizer {
  const config = {
    ...(addPrefixSpace !== undefined && { add_prefix_space: addPrefixSpace }),
    ...(modelMaxLength !== undefined && { model_max_length: modelMaxLength }),
  };
  return fromVocabulary(checkVocabulary(vocab, 'createByteLevelBpe'), merges, { config, added: [] });
}

/** BART's layout of ids: `<s>` 0, `<pad>` 1, `</s>` 2, `<unk>` 3, the given tokens, and `<mask>` last. */
export function bartVocabulary(tokens: Iterable<string>): Record<string, number> {
  const { bos, pad, eos, unk, mask } = SLOW_ROLES.defaults;
  const distinct = new Set([bos, pad, eos, unk, ...tokens]);
  return Object.fromEntries([...distinct, mask].map((token, id) => [token, id]));
}

function fromVocabulary(
  vocab: ReadonlyMap<string, number>,
  merges: readonly Merge[],
  settings: TokenizerSettings,
): Tokenizer {
  const tokens = resolveTokens(vocab, [], settings, SLOW_ROLES);
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
  return assemble({ vocab, merges, tokens, post, config: settings.config });
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
  return new SubwordTokenizer({
    kind: 'byte-level-bpe',
    model,
    tokens,
    template: templateOf(post),
    config,
    files: () => filesOf(parts),
  });
}

function filesOf(parts: Parts): ReadonlyMap<string, string> {
  const { vocab, merges, tokens, config } = parts;
  const defaults = { add_prefix_space: false, errors: 'replace', tokenizer_class: 'BartTokenizer', trim_offsets: true };
  const mergeLines = merges.map((merge) => `${merge.join(' ')}\n`);
  return new Map([
    ['tokenizer.json', JSON.stringify(serialize(parts))],
    ['vocab.json', JSON.stringify(Object.fromEntries(vocab))],
    ['merges.txt', `#version: 0.2\n${mergeLines.join('')}`],
    ...settingsFiles({ ...defaults, ...config }, tokens, vocab),
  ]);
}

/** As tokenizer.json has it; merges as single strings, which all versions of its library read. */
function serialize({ vocab, merges, unkToken, fuseUnk, ignoreMerges, tokens, post, config }: Parts): object {
  const byteLevel = { type: 'ByteLevel', trim_offsets: true, use_regex: true };
  const addPrefixSpace = config.add_prefix_space ?? false;
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: tokens.added.entries().map(([id, token]) => ({ id, ...token })),
    normalizer: null,
    pre_tokenizer: { ...byteLevel, add_prefix_space: addPrefixSpace },
    post_processor: post && 'add_prefix_space' in post ? { ...post, add_prefix_space: addPrefixSpace } : post,
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
      vocab: Object.fromEntries(vocab),
      merges: merges.map((merge) => merge.join(' ')),
    },
  };
}

function checkVocabulary(vocab: object, source: string): ReadonlyMap<string, number> {
  const owners = new Map<number, string>();
  const ids = new Map<string, number>();
  for (const [token, id] of Object.entries(vocab)) {
    if (!Number.isSafeInteger(id) || id < 0)
      fail('tokenizer', `${source}: the id of "${token}" is ${JSON.stringify(id)}. Ids are whole numbers from 0.`);
    if (owners.has(id))
      fail(
        'tokenizer',
        `${source}: "${owners.get(id)}" and "${token}" have the same id, ${id}. Every token needs its own.`,
      );
    owners.set(id, token);
    ids.set(token, id);
  }
  if (ids.size === 0) fail('tokenizer', `${source}: the vocabulary has no tokens.`);
  return ids;
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

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
