import { join } from 'node:path';
import { z } from 'zod';
import { fail } from '../errors.js';
import { AddedTokens } from './added-tokens.js';
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
  const settings = readSettings(files, []);
  const { separate_vocabs, sp_model_kwargs } = check(marianFields, settings.config, join(files.place, CONFIG));
  const changed = PIECE_SETTINGS.find((name) => sp_model_kwargs?.[name]);
  if (changed !== undefined) {
    fail(
      'tokenizer',
      `${join(files.place, CONFIG)} sets sp_model_kwargs.${changed}, which is not supported. Remove it; texts are then cut into their best pieces.`,
    );
  }
  const vocabNames = separate_vocabs ? ['vocab.json', 'target_vocab.json'] : ['vocab.json'];
  const contents = readFiles(files, ['source.spm', 'target.spm', ...vocabNames]);
  const vocabularies = vocabNames.map((vocabName) => ({ vocabName, vocab: readVocabulary(files, vocabName) }));
  const [source, target] = [vocabularies[0]!, vocabularies.at(-1)!];
  return assemble({
    place: files.place,
    source: { ...source, pieces: readPieces(files, 'source.spm') },
    target: { ...target, pieces: readPieces(files, 'target.spm') },
    tokens: marianTokens(source.vocab, files, settings),
    config: { model_max_length: DEFAULT_LENGTH, ...settings.config },
    files: contents,
  });
}

function readFiles(files: TokenizerSource, names: readonly string[]): Parts['files'] {
  const contents = names.map((name) => [name, files.readBytes(name)] as const);
  const missing = contents.filter(([, content]) => content === undefined).map(([name]) => name);
  if (missing.length === 0) return contents as Parts['files'];
  const has = (name: string) => files.readBytes(name) !== undefined;
  if (missing.includes('source.spm') && has('source.bpe')) {
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

/** The reference takes added tokens by the ids that the files give them. */
function marianTokens(
  vocab: ReadonlyMap<string, number>,
  files: TokenizerSource,
  settings: TokenizerSettings,
): ResolvedTokens {
  const described = settings.config.added_tokens_decoder;
  const given = described
    ? Object.entries(described).map(([id, { content }]): [string, number] => [content, Number(id)])
    : Object.entries(readJson(files, 'added_tokens.json', z.record(z.string(), z.int())) ?? {});
  return resolveTokens(new Map([...vocab, ...given]), [], settings, ROLES);
}

function assemble(given: Parts): Tokenizer {
  const parts = { ...given, tokens: withSpecialByRole(given.tokens) };
  const { source, target, tokens, config } = parts;
  requireSpecial(parts);
  const suffix = [specialIds(tokens).eos!];
  const cuts = pythonCuts(tokens.added.entries().map(([, token]) => token));
  const decode = decoderOf(parts);
  return new SubwordTokenizer({
    kind: 'marian',
    modelType: 'marian',
    model: { ...encoderOf(source, tokens), decode },
    targetModel: { ...encoderOf(target, tokens), decode },
    tokens,
    cut: (text) => cuts(text).map((part) => tokens.added.idOf(part) ?? part),
    template: () => ({ prefix: [], suffix }),
    config,
    withTokens: (changed) => assemble({ ...parts, tokens: changed }),
    files: () => filesOf(parts),
  });
}

/** Whatever the files say, the reference takes for special what has a role or is listed as additional. */
function withSpecialByRole(tokens: ResolvedTokens): ResolvedTokens {
  const special = specialOf(tokens);
  const added = tokens.added
    .entries()
    .map(([id, token]) => [id, { ...token, special: special.has(token.content) }] as const);
  return { ...tokens, added: new AddedTokens(new Map(added)) };
}

const specialOf = ({ roles, additional }: ResolvedTokens): ReadonlySet<string> =>
  new Set([...roles.values(), ...additional]);

/** As the reference demands it of the files: what it could not load is not made. */
function requireSpecial({ place, source, target, tokens: { roles } }: Parts): void {
  const demands = [
    ['eos', []],
    ['unk', [source, target]],
    ['pad', [source]],
  ] as const;
  for (const [role, sides] of demands) {
    const token = roles.get(role);
    if (token === undefined) fail('tokenizer', `the one in ${place} has no ${role}_token. Name one in ${CONFIG}.`);
    for (const { vocab, vocabName } of sides) {
      if (vocab.has(token)) continue;
      fail('tokenizer', `${join(place, vocabName)} lacks the ${role}_token, "${token}". Name one that it has.`);
    }
  }
}

/** On the target side too, added tokens have the ids that they have in the source's vocabulary. */
function encoderOf({ pieces, vocab }: Side, { added, roles }: ResolvedTokens): Omit<SubwordModel, 'decode'> {
  const unknownToken = roles.get('unk')!;
  const unknown = vocab.get(unknownToken)!;
  const idOf = (token: string): number => added.idOf(token) ?? vocab.get(token) ?? unknown;
  const ids = Int32Array.from(pieces.pieces, ({ piece }) => idOf(piece));
  return {
    vocab,
    unknownToken,
    encode(text, out) {
      const { code, rest } = withoutCodes(text);
      if (code !== undefined) out.push(idOf(code));
      const encoded = pieces.encode(rest);
      // What the pieces lack may still be in the vocabulary: that of both sides has the other side's pieces.
      if (encoded.includes(pieces.unkId)) for (const piece of pieces.encodePieces(rest)) out.push(idOf(piece));
      else for (const id of encoded) out.push(ids[id]!);
    },
  };
}

/**
 * What goes from the first `>>` of a line to its last `<<`, with something between, is a language code, one token, at the
 * beginning of a text, and nothing elsewhere: the reference's `>>.+<<`, in one pass.
 */
function withoutCodes(text: string): { code?: string; rest: string } {
  if (!text.includes('>>')) return { rest: text };
  let code: string | undefined;
  const lines = text.split('\n').map((line, i) => {
    const start = line.indexOf('>>');
    const end = line.lastIndexOf('<<') + 2;
    if (start < 0 || end < start + '>>x<<'.length) return line;
    if (i === 0 && start === 0) code = line.slice(start, end);
    return line.slice(0, start) + line.slice(end);
  });
  return { ...(code !== undefined && { code }), rest: lines.join('\n') };
}

/**
 * Special tokens are no pieces, and have a space behind them. Added tokens that are not special stand apart from the text,
 * as do additional ones beyond the vocabulary.
 */
function decoderOf({ source, target, tokens }: Parts): SubwordModel['decode'] {
  const special = specialOf(tokens);
  const isApart = (id: number, content: string): boolean =>
    !special.has(content) || (tokens.additional.includes(content) && id >= source.vocab.size);
  const added = tokens.added.entries().filter(([id, { content }]) => isApart(id, content));
  const apart = new Set(added.map(([, { content }]) => content));
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
