import { z } from 'zod';
import { fail } from '../errors.js';
import { type AddedToken, AddedTokens, addedTokenSchema } from './added-tokens.js';
import { pythonJson, readJson } from './files.js';
import type { TokenizerSource } from './source.js';
import type { NewSpecialTokens, SpecialTokenIds } from './tokenizer.js';

/** The order in which roles without a token of the vocabulary get new ids. */
const ROLES = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'] as const;
export type Role = (typeof ROLES)[number];
const ADDITIONAL = 'additional_special_tokens';
const fieldOf = (role: Role) => `${role}_token` as const;

/** Transformers writes 10³⁰ for "no limit", and takes whatever is above 10²⁰ for it. */
const NO_LIMIT = 1e30;
const LARGEST_LIMIT = 1e20;

const tokenOrText = z.union([z.string(), addedTokenSchema]);
type TokenOrText = z.infer<typeof tokenOrText>;

const roleFields = {
  bos_token: tokenOrText.nullish(),
  eos_token: tokenOrText.nullish(),
  unk_token: tokenOrText.nullish(),
  sep_token: tokenOrText.nullish(),
  pad_token: tokenOrText.nullish(),
  cls_token: tokenOrText.nullish(),
  mask_token: tokenOrText.nullish(),
  additional_special_tokens: z.array(tokenOrText).nullish(),
};

const configSchema = z.looseObject({
  ...roleFields,
  added_tokens_decoder: z.record(z.string(), addedTokenSchema).optional(),
  add_prefix_space: z.boolean().nullish(),
  clean_up_tokenization_spaces: z.boolean().nullish(),
  model_max_length: z.number().nullish(),
  truncation_side: z.enum(['left', 'right']).nullish(),
});
export type TokenizerConfig = z.infer<typeof configSchema>;

const specialTokensMap = z.looseObject(roleFields);
const addedTokensFile = z.record(z.string(), z.int().nonnegative());

/** What stands beside a vocabulary: tokenizer_config.json and the two files it grew out of. */
export interface TokenizerSettings {
  config: TokenizerConfig;
  /** Added tokens that these files list, in order of id. */
  added: AddedToken[];
}

/**
 * Reads the settings of a folder as Transformers does: special_tokens_map.json and added_tokens.json count only where
 * tokenizer_config.json has no `added_tokens_decoder`. `listed` are the added tokens of a tokenizer.json.
 */
export function readSettings(files: TokenizerSource, listed: readonly AddedToken[]): TokenizerSettings {
  const config = readJson(files, 'tokenizer_config.json', configSchema) ?? {};
  if (config.added_tokens_decoder) {
    const byId = Object.entries(config.added_tokens_decoder).sort(([a], [b]) => Number(a) - Number(b));
    return { config, added: byId.map(([, token]) => token) };
  }
  const { additional_special_tokens, ...roles } = readJson(files, 'special_tokens_map.json', specialTokensMap) ?? {};
  Object.assign(config, roles);
  if (additional_special_tokens) {
    const before = config.additional_special_tokens ?? [];
    const seen = new Set(before.map(contentOf));
    const more = additional_special_tokens.filter((token) => !seen.has(contentOf(token)));
    config.additional_special_tokens = [...before, ...more];
  }
  const special = new Set(namedTokens(config).map(contentOf));
  const added = Object.entries(readJson(files, 'added_tokens.json', addedTokensFile) ?? {})
    .sort(([, a], [, b]) => a - b)
    .map(([content]) => plainToken(content, special.has(content)));
  return { config, added: [...added, ...listed] };
}

/** The added tokens of a tokenizer, and which of them have a role. */
export interface ResolvedTokens {
  added: AddedTokens;
  roles: ReadonlyMap<Role, string>;
  additional: readonly string[];
  /** Number of tokens of vocabulary and added tokens together. */
  size: number;
}

/** What a family's tokenizer class holds about special tokens. */
export interface RoleRules {
  /** The token of each role that the class gives one. */
  defaults: Readonly<Partial<Record<Role, string>>>;
  /** The token that the class makes of a plain string; a string if it takes the token as it finds it. */
  cast(role: Role, content: string): TokenOrText;
}

/**
 * Puts together the added tokens of a tokenizer.json (`listed`), those of its settings, and the special tokens that the
 * settings, or else the family, name; a later entry overrides an earlier one of the same content, but a plain string
 * does not. A token the vocabulary has keeps its id there, others get the next free ids.
 */
export function resolveTokens(
  vocab: ReadonlyMap<string, number>,
  listed: readonly AddedToken[],
  { config, added }: TokenizerSettings,
  rules: RoleRules,
): ResolvedTokens {
  const described = new Map(added.map((token) => [token.content, token]));
  const named = ROLES.flatMap((role): [Role, TokenOrText][] => {
    const token = config[fieldOf(role)];
    if (token === null) return [];
    if (token === undefined) {
      const content = rules.defaults[role];
      return content === undefined ? [] : [[role, rules.cast(role, content)]];
    }
    const known = described.get(contentOf(token));
    return [[role, known ?? (typeof token === 'string' ? rules.cast(role, token) : token)]];
  });
  const additional = config.additional_special_tokens ?? [];
  const requested = [...named.map(([, token]) => token), ...additional];
  const special = new Set(requested.map(contentOf));

  const tokens = new Map<string, AddedToken>();
  for (const token of [...listed, ...added, ...requested]) {
    if (typeof token !== 'string') {
      tokens.set(token.content, { ...token, special: token.special || special.has(token.content) });
    } else if (!tokens.has(token)) tokens.set(token, plainToken(token, true));
  }

  let next = 1 + [...vocab.values()].reduce((most, id) => Math.max(most, id), -1);
  const size = vocab.size + [...tokens.keys()].filter((content) => !vocab.has(content)).length;
  const byId = new Map([...tokens].map(([content, token]) => [vocab.get(content) ?? next++, token]));
  return {
    added: new AddedTokens(byId),
    roles: new Map(named.map(([role, token]) => [role, contentOf(token)])),
    additional: additional.map(contentOf),
    size,
  };
}

/**
 * With further special tokens, as Transformers' `add_special_tokens`: a token that is there already keeps its id but
 * not its flags, others get the next free ids, and those without a role replace the former ones of that kind.
 */
export function withSpecialTokens(
  vocab: ReadonlyMap<string, number>,
  { added, roles, additional, size }: ResolvedTokens,
  requested: NewSpecialTokens,
): ResolvedTokens {
  const byId = new Map(added.entries());
  let next = 1 + [...vocab.values(), ...byId.keys()].reduce((most, id) => Math.max(most, id), -1);
  const ids = new Map([...byId].map(([id, { content }]) => [content, id]));
  const result = { roles: new Map(roles), additional, size };
  const add = (content: unknown): string => {
    if (typeof content !== 'string' || content === '') {
      fail('tokenizer', `a special token cannot be ${JSON.stringify(content)}. Give strings that are not empty.`);
    }
    const known = ids.get(content) ?? vocab.get(content);
    if (known === undefined) result.size++;
    const id = known ?? next++;
    ids.set(content, id);
    byId.set(id, plainToken(content, true));
    return content;
  };
  for (const [field, value] of Object.entries(Array.isArray(requested) ? { [ADDITIONAL]: requested } : requested)) {
    const role = ROLES.find((candidate) => fieldOf(candidate) === field);
    if (role) result.roles.set(role, add(value));
    else if (field === ADDITIONAL && Array.isArray(value)) result.additional = [...new Set(value.map(add))];
    else {
      fail(
        'tokenizer',
        `special tokens cannot be added as ${JSON.stringify(field)}. Known: ${ROLES.map(fieldOf).join(', ')}, and ${ADDITIONAL} with a list.`,
      );
    }
  }
  return { ...result, added: new AddedTokens(byId) };
}

/** Ids of the tokens that have a role. */
export function specialIds({ added, roles }: ResolvedTokens): SpecialTokenIds {
  return Object.fromEntries([...roles].map(([role, content]) => [role, added.idOf(content)!]));
}

/** The limit a config states, undefined for none. */
export function lengthLimit(config: TokenizerConfig): number | undefined {
  const limit = config.model_max_length ?? NO_LIMIT;
  return limit > LARGEST_LIMIT ? undefined : limit;
}

/** tokenizer_config.json, special_tokens_map.json and, for tokens beyond the vocabulary, added_tokens.json. */
export function settingsFiles(
  config: TokenizerConfig,
  { added, roles, additional }: ResolvedTokens,
  vocab: ReadonlyMap<string, number>,
): [name: string, content: string][] {
  const describe = (content: string) => {
    const { special: _, ...token } = added.get(added.idOf(content)!)!;
    return token;
  };
  const withRoles = (value: (content: string) => unknown) => ({
    ...Object.fromEntries([...roles].map(([role, content]) => [fieldOf(role), value(content)])),
    ...(additional.length > 0 && { additional_special_tokens: additional.map(value) }),
  });
  // Paths of the machine that saved it are no settings.
  const {
    name_or_path: _,
    special_tokens_map_file: __,
    tokenizer_file: ___,
    additional_special_tokens: ____,
    ...kept
  } = config;
  const saved = {
    clean_up_tokenization_spaces: false,
    model_max_length: NO_LIMIT,
    extra_special_tokens: {},
    ...kept,
    ...withRoles((content) => content),
    added_tokens_decoder: Object.fromEntries(added.entries()),
  };
  const beyond = added.entries().filter(([, token]) => !vocab.has(token.content));
  return [
    ['tokenizer_config.json', pythonJson(saved)],
    ['special_tokens_map.json', pythonJson(withRoles(describe))],
    ...(beyond.length > 0
      ? [
          ['added_tokens.json', pythonJson(Object.fromEntries(beyond.map(([id, token]) => [token.content, id])))] as [
            string,
            string,
          ],
        ]
      : []),
  ];
}

function namedTokens(config: TokenizerConfig): TokenOrText[] {
  const roles = ROLES.map((role) => config[fieldOf(role)]);
  return [...roles, ...(config.additional_special_tokens ?? [])].filter((token) => token != null);
}

function contentOf(token: TokenOrText): string {
  return typeof token === 'string' ? token : token.content;
}

function plainToken(content: string, special: boolean): AddedToken {
  return { content, single_word: false, lstrip: false, rstrip: false, normalized: !special, special };
}
