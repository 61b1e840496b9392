import { join } from 'node:path';
import { z } from 'zod';
import { fail } from '../errors.js';
import { addedTokenSchema } from './added-tokens.js';
import { check, readJson } from './files.js';
import { pythonCuts, strip } from './python-cuts.js';
import { parseSentencePiece, SentencePieceModel } from './sentencepiece/index.js';
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
import type { TokenizerSource } from './source.js';
import { type SubwordModel, SubwordTokenizer } from './subword-tokenizer.js';
import type { Tokenizer } from './tokenizer.js';
import { checkVocabulary, isObject } from './vocabulary.js';

const CONFIG = 'tokenizer_config.json';
/** What tokenizer_config.json says of this family alone. */
const marianFields = z.looseObject({
  separate_vocabs: z.boolean().nullish(),
  sp_model_kwargs: z.record(z.string(), z.unknown()).nullish(),
});

const ROLES: RoleRules = {
  defaults: { eos: '</s>', unk: '<unk>', pad: '<pad>' },
  cast: (_, content) => content,
};
const DEFAULT_LENGTH = 512;
/** Settings of Python's SentencePiece that change what it makes of a text. */
const PIECE_SETTINGS = ['add_bos', 'add_eos', 'reverse', 'emit_unk_piece', 'enable_sampling'];

/** From the first `>>` of a line to its last `<<`. */
const LANGUAGE_CODE = />>[^\n]+<</g;
const LEADING_CODE = /^>>[^\n]+<</;
const UNDERLINE = /\u2581/g;

interface Side {
  pieces: SentencePieceModel;
  vocab: ReadonlyMap<string, number>;
  vocabName: string;
}

interface Parts {
  place: string;
  source: Side;
  /** Has the source's vocabulary, unless each side has its own. */
  target: Side;
  tokens: ResolvedTokens;
  config: TokenizerConfig;
  /** As they were read; they do not change. */
  files: readonly (readonly [name: string, content: Uint8Array])[];
}

/** From a folder with source.spm, target.spm and vocab.json, and with target_vocab.json if each side has its own. */
export function loadMarian(files: TokenizerSource): Tokenizer {
  const settings = readSettings(files, listedTokens(files));
  const { separate_vocabs, sp_model_kwargs } = check(marianFields, settings.config, join(files.place, CONFIG));
  const changed = PIECE_SETTINGS.find((name) => sp_model_kwargs?.[name]);
  if (changed !== undefined) {
    fail(
      'tokenizer',
      `${join(files.place, CONFIG)} sets sp_model_kwargs.${changed}, which is not supported. Remove it; texts are then cut into their best pieces.`,
    );
  }
  const vocabNames = separate_vocabs ? ['vocab.json', 'target_vocab.json'] : ['vocab.json'];
  requireFiles(files, ['source.spm', 'target.spm', ...vocabNames]);
  const vocabularies = vocabNames.map((vocabName) => ({ vocabName, vocab: readVocabulary(files, vocabName) }));
  const [source, target] = [vocabularies[0]!, vocabularies.at(-1)!];
  return assemble({
    place: files.place,
    source: { ...source, pieces: readPieces(files, 'source.spm') },
    target: { ...target, pieces: readPieces(files, 'target.spm') },
    tokens: marianTokens(source.vocab, files, settings),
    config: { model_max_length: DEFAULT_LENGTH, ...settings.config },
    files: ['source.spm', 'target.spm', ...vocabNames].map((name) => [name, files.readBytes(name)!]),
  });
}

/** A tokenizer.json, which the reference cannot use for this family, counts for the added tokens that it lists. */
function listedTokens(files: TokenizerSource) {
  const schema = z.looseObject({ added_tokens: z.array(addedTokenSchema).default([]) });
  return readJson(files, 'tokenizer.json', schema)?.added_tokens ?? [];
}

function requireFiles(files: TokenizerSource, names: readonly string[]): void {
  const has = (name: string) => files.readBytes(name) !== undefined;
  const missing = names.filter((name) => !has(name));
  if (missing.length === 0) return;
  if (missing[0] === 'source.spm' && has('source.bpe')) {
    fail(
      'tokenizer',
      `the one in ${files.place} was made for BPE-preprocessed text (source.bpe), which takes Moses' scripts to prepare. Use a Marian checkpoint that has source.spm and target.spm.`,
    );
  }
  const others = has('tokenizer.json') ? ' A tokenizer.json does not stand in for them.' : '';
  fail(
    'tokenizer',
    `${files.place} has no ${missing.join(' and no ')}. A Marian tokenizer needs ${names.join(', ')}.${others} Download what is missing.`,
  );
}

function readVocabulary(files: TokenizerSource, name: string): ReadonlyMap<string, number> {
  const vocab = readJson(files, name, z.custom<object>(isObject, 'not an object of token ids'))!;
  return checkVocabulary(vocab, join(files.place, name));
}

function readPieces(files: TokenizerSource, name: string): SentencePieceModel {
  return new SentencePieceModel(parseSentencePiece(files.readBytes(name)!, join(files.place, name)));
}

/**
 * The reference takes added tokens by the ids that the files give them, and for special only those that have a role or are
 * listed as additional. On the target side too, ids are those of the source's vocabulary.
 */
function marianTokens(
  vocab: ReadonlyMap<string, number>,
  files: TokenizerSource,
  { config, added }: TokenizerSettings,
): ResolvedTokens {
  const described = Object.entries(config.added_tokens_decoder ?? {});
  const given = config.added_tokens_decoder
    ? described.map(([id, { content }]): [string, number] => [content, Number(id)])
    : Object.entries(readJson(files, 'added_tokens.json', z.record(z.string(), z.int())) ?? {});
  const plain = added.map((token) => ({ ...token, special: false }));
  return resolveTokens(new Map([...vocab, ...given]), [], { config, added: plain }, ROLES);
}

function assemble(parts: Parts): Tokenizer {
  const { source, target, tokens, config } = parts;
  requireSpecial(parts);
  const suffix = [specialIds(tokens).eos!];
  const contents = tokens.added.entries().map(([, token]) => token);
  const cuts = pythonCuts(contents);
  return new SubwordTokenizer({
    kind: 'marian',
    modelType: 'marian',
    model: modelOf(source, parts),
    targetModel: modelOf(target, parts),
    tokens,
    cut: (text) => cuts(text).map((part) => tokens.added.idOf(part) ?? part),
    template: () => ({ prefix: [], suffix }),
    config,
    withTokens: (changed) => assemble({ ...parts, tokens: changed }),
    files: () => filesOf(parts),
  });
}

/** As the reference demands it of the files: what it could not load is not made. */
function requireSpecial({ place, source, target, tokens: { roles } }: Parts): void {
  for (const role of ['eos', 'unk', 'pad'] as const) {
    if (!roles.has(role)) fail('tokenizer', `the one in ${place} has no ${role}_token. Name one in ${CONFIG}.`);
  }
  const unk = roles.get('unk')!;
  const demanded = [
    [source, unk],
    [source, roles.get('pad')!],
    [target, unk],
  ] as const;
  for (const [{ vocab, vocabName }, token] of demanded) {
    if (vocab.has(token)) continue;
    fail('tokenizer', `${join(place, vocabName)} has no token "${token}", which ${CONFIG} names. Use one that it has.`);
  }
}

function modelOf({ pieces, vocab }: Side, parts: Parts): SubwordModel {
  const { added, roles } = parts.tokens;
  const unknownToken = roles.get('unk')!;
  const unknown = vocab.get(unknownToken)!;
  const idOf = (token: string): number => added.idOf(token) ?? vocab.get(token) ?? unknown;
  const ids = Int32Array.from(pieces.pieces, ({ piece }) => idOf(piece));
  return {
    vocab,
    encode(text, out) {
      const code = LEADING_CODE.exec(text)?.[0];
      if (code !== undefined) out.push(idOf(code));
      // In the middle of a text, they vanish.
      const rest = text.replace(LANGUAGE_CODE, '');
      const encoded = pieces.encode(rest);
      // What the pieces lack may still be in the vocabulary: that of both sides has the other side's pieces.
      if (encoded.includes(pieces.unkId)) for (const piece of pieces.encodePieces(rest)) out.push(idOf(piece));
      else for (const id of encoded) out.push(ids[id]!);
    },
    decode: decoderOf(parts),
    unknownToken,
  };
}

/**
 * Special tokens are no pieces, and have a space behind them. Added tokens that are not special stand apart from the text,
 * as do additional ones beyond the vocabulary.
 */
function decoderOf({ source, target, tokens: { added, roles, additional } }: Parts): SubwordModel['decode'] {
  const special = new Set([...roles.values(), ...additional]);
  const apart = new Set(
    [
      ...added.entries().filter(([, { content }]) => !special.has(content)),
      ...added.entries().filter(([id, { content }]) => additional.includes(content) && id >= source.vocab.size),
    ].map(([, { content }]) => content),
  );
  const textOf = (tokens: readonly string[]): string => {
    const parts = runsOf(tokens, special).map(({ run, end }) => target.pieces.decode(run) + (end ? `${end} ` : ''));
    return strip(parts.join('').replace(UNDERLINE, ' '));
  };
  return (tokens) => {
    const texts: string[] = [];
    for (const { run, end } of runsOf(tokens, apart)) {
      const text = run.length > 0 ? textOf(run) : '';
      // A last text counts even if it is empty.
      if (text !== '' || (run.length > 0 && end === undefined)) texts.push(text);
      if (end !== undefined) texts.push(end);
    }
    return texts.join(' ');
  };
}

/** Tokens up to each of `ends`, and those behind the last. */
function runsOf(tokens: readonly string[], ends: ReadonlySet<string>): { run: string[]; end?: string }[] {
  const runs: { run: string[]; end?: string }[] = [];
  let run: string[] = [];
  for (const token of tokens) {
    if (ends.has(token)) {
      runs.push({ run, end: token });
      run = [];
    } else run.push(token);
  }
  return [...runs, { run }];
}

function filesOf({ files, tokens, config, source }: Parts): ReadonlyMap<string, string | Uint8Array> {
  const { source_spm: _, target_spm: __, vocab: ___, target_vocab_file: ____, ...settings } = config;
  return new Map<string, string | Uint8Array>([
    ...files,
    ...settingsFiles({ ...settings, tokenizer_class: 'MarianTokenizer' }, tokens, source.vocab),
  ]);
}
