import { join } from 'node:path';
import { fail } from '../errors.js';
import { type AddedToken, AddedTokens } from './added-tokens.js';
import { type FairseqLayout, fairseqJson } from './fairseq-vocabulary.js';
import { readJson } from './files.js';
import { parseSentencePiece } from './sentencepiece/index.js';
import {
  type ResolvedTokens,
  type Role,
  type RoleRules,
  readSettings,
  resolveTokens,
  settingsFiles,
  type TokenizerConfig,
} from './settings.js';
import type { TokenizerSource } from './source.js';
import { type SubwordModel, SubwordTokenizer } from './subword-tokenizer.js';
import { type Template, templateOf } from './template.js';
import type { EncodeOptions, Tokenizer } from './tokenizer.js';
import { type UnigramJson, unigramModel, unigramSchema } from './unigram-json.js';

const MODEL_FILE = 'sentencepiece.bpe.model';

/** Transformers' classes of these tokenizers → the model type that has them. */
const MODEL_TYPES: Readonly<Record<string, string>> = {
  MBartTokenizer: 'mbart',
  MBart50Tokenizer: 'mbart50',
  CamembertTokenizer: 'camembert',
};

type AdditionalTokens = TokenizerConfig['additional_special_tokens'];

/** What a class of tokenizers from fairseq has of its own. */
export interface FairseqFamily {
  tokenizerClass: string;
  layout: FairseqLayout;
  /** The class's special tokens, with a tokenizer.json and without one. */
  fast: RoleRules;
  slow: RoleRules;
  /** The special tokens without a role, given those that the settings name. */
  additional: (named: AdditionalTokens) => NonNullable<AdditionalTokens>;
  /** Settings that the class saves where they are not given. */
  settings: Readonly<Record<string, unknown>>;
  /** What goes around a text, where it is not what tokenizer.json says. */
  marks?: (context: MarksContext) => Marks;
}

export interface MarksContext {
  idOf: (token: string) => number | undefined;
  tokens: ResolvedTokens;
  config: TokenizerConfig;
  /** The folder, for errors. */
  place: string;
}

/** What goes around a text, and what of it a tokenizer.json can say. */
export interface Marks {
  template: (options: EncodeOptions) => Template;
  post: UnigramJson['post_processor'];
}

interface Parts {
  family: FairseqFamily;
  place: string;
  serialized: UnigramJson;
  /** The SentencePiece model, kept as it is. */
  bytes: Uint8Array | undefined;
  model: SubwordModel;
  tokens: ResolvedTokens;
  config: TokenizerConfig;
}

/**
 * From tokenizer.json, or else sentencepiece.bpe.model, which gives what the fast class converts it to. (The slow class cuts
 * some texts otherwise: those with runs of spaces, or characters that are normalised together.)
 */
export function loadFairseq(files: TokenizerSource, family: FairseqFamily): Tokenizer {
  const { place } = files;
  const given = readJson(files, 'tokenizer.json', unigramSchema);
  const bytes = files.readBytes(MODEL_FILE);
  const path = join(place, given ? 'tokenizer.json' : MODEL_FILE);
  const serialized =
    given ??
    (bytes
      ? fairseqJson(parseSentencePiece(bytes, path), family.layout, path)
      : fail('tokenizer', `${place} has no tokenizer.json and no ${MODEL_FILE}. It needs one of them.`));
  const settings = readSettings(files, given?.added_tokens ?? []);
  const { config } = settings;
  checkClass(config.tokenizer_class, family, place);
  config.additional_special_tokens = family.additional(config.additional_special_tokens);
  const model = unigramModel(serialized, path);
  const rules = given ? family.fast : family.slow;
  const listed = serialized.added_tokens;
  const tokens = soughtAsListed(resolveTokens(model.vocab, listed, settings, rules), listed);
  const defaults = given ? family.settings : { ...family.settings, sp_model_kwargs: {} };
  return assemble({ family, place, serialized, bytes, model, tokens, config: { ...defaults, ...config } });
}

/**
 * Of a token that is added twice the last flags count, except that it is sought, in the text as it is or in the normalised
 * one, as it first was: what tokenizer.json lists stays so.
 */
function soughtAsListed(tokens: ResolvedTokens, listed: readonly AddedToken[]): ResolvedTokens {
  const first = new Map(listed.map((token) => [token.content, token]));
  const added = tokens.added.entries().map(([id, token]): [number, AddedToken] => {
    const { special, normalized } = first.get(token.content) ?? token;
    return [id, { ...token, normalized: special ? normalized : normalized && token.normalized }];
  });
  return { ...tokens, added: new AddedTokens(new Map(added)) };
}

function checkClass(named: unknown, { tokenizerClass }: FairseqFamily, place: string): void {
  const found = typeof named === 'string' ? named.replace(/Fast$/, '') : '';
  const fitting = Object.hasOwn(MODEL_TYPES, found) ? MODEL_TYPES[found] : undefined;
  if (fitting === undefined || found === tokenizerClass) return;
  fail(
    'tokenizer',
    `${place} holds a ${String(named)}, not the ${tokenizerClass} of model type "${MODEL_TYPES[tokenizerClass]}". Load it as model type "${fitting}".`,
  );
}

function assemble(parts: Parts): Tokenizer {
  const { model, tokens, config } = parts;
  const marks = marksOf(parts);
  return new SubwordTokenizer({
    kind: 'sentencepiece',
    modelType: MODEL_TYPES[parts.family.tokenizerClass]!,
    model,
    tokens,
    template: marks.template,
    config,
    withTokens: (changed) => assemble({ ...parts, tokens: changed }),
    files: () => filesOf(parts, marks.post),
  });
}

function marksOf({ family, place, serialized, model, tokens, config }: Parts): Marks {
  if (family.marks) {
    const idOf = (token: string) => tokens.added.idOf(token) ?? model.vocab.get(token);
    return family.marks({ idOf, tokens, config, place });
  }
  const template = templateOf(serialized.post_processor);
  return { template: () => template, post: serialized.post_processor };
}

function filesOf({ family, serialized, bytes, model, tokens, config }: Parts, post: Marks['post']) {
  const added = tokens.added.entries().map(([id, token]) => ({ id, ...token }));
  return new Map<string, string | Uint8Array>([
    ...(bytes ? [[MODEL_FILE, bytes] as [string, Uint8Array]] : []),
    ['tokenizer.json', JSON.stringify({ ...serialized, added_tokens: added, post_processor: post })],
    ...settingsFiles({ ...config, tokenizer_class: family.tokenizerClass }, tokens, model.vocab),
  ]);
}

/** Roles of these tokens, of which only the mask, which takes the space before it along, is not as it is found. */
export function fairseqRoles(defaults: RoleRules['defaults'], maskNormalized: boolean): RoleRules {
  const mask = (content: string): AddedToken => ({
    content,
    single_word: false,
    lstrip: true,
    rstrip: false,
    normalized: maskNormalized,
    special: true,
  });
  return { defaults, cast: (role: Role, content) => (role === 'mask' ? mask(content) : content) };
}
