import { join } from 'node:path';
import { z } from 'zod';
import { fail, nearest } from '../errors.js';
import { type FairseqFamily, fairseqRoles, loadFairseq, type Marks, type MarksContext } from './fairseq.js';
import { type Surroundings, surroundingsJson } from './fairseq-vocabulary.js';
import { check } from './files.js';
import type { TokenizerSource } from './source.js';
import type { Template } from './template.js';
import type { EncodeOptions, Tokenizer } from './tokenizer.js';

/** mBART's languages in the order of their ids, and those that mBART-50 has besides. */
const MBART_CODES =
  'ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT lv_LV my_MM ne_NP nl_XX ro_RO ru_RU si_LK tr_TR vi_VN zh_CN'.split(
    ' ',
  );
const MBART50_CODES = [
  ...MBART_CODES,
  ...'af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF pt_XX sv_SE sw_KE ta_IN te_IN th_TH tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI'.split(
    ' ',
  ),
];

/** What the reference takes where neither the caller nor tokenizer_config.json says the language. */
const DEFAULT_SOURCE = 'en_XX';
const DEFAULT_TARGET = 'ro_RO';

const languagesSchema = z.looseObject({ src_lang: z.string().nullish(), tgt_lang: z.string().nullish() });

const MBART_ROLES = { bos: '<s>', eos: '</s>', unk: '<unk>', sep: '</s>', pad: '<pad>', cls: '<s>', mask: '<mask>' };
const { bos: _, ...MBART50_ROLES } = MBART_ROLES;

export type MBartFamily = 'mbart' | 'mbart50';

const FAMILIES: Readonly<Record<MBartFamily, FairseqFamily>> = {
  mbart: {
    tokenizerClass: 'MBartTokenizer',
    layout: layoutOf(MBART_CODES),
    fast: fairseqRoles(MBART_ROLES, false),
    slow: fairseqRoles(MBART_ROLES, false),
    additional: (named) => [
      ...MBART_CODES,
      ...(named ?? []).filter((token) => !MBART_CODES.includes(contentOf(token))),
    ],
    settings: { src_lang: DEFAULT_SOURCE, tgt_lang: null },
    marks: marksBy(MBART_CODES, (code, eos) => ({ prefix: [], between: [], suffix: [eos, code] })),
  },
  mbart50: {
    tokenizerClass: 'MBart50Tokenizer',
    layout: layoutOf(MBART50_CODES),
    fast: fairseqRoles(MBART50_ROLES, false),
    slow: fairseqRoles(MBART50_ROLES, true),
    additional(named) {
      const contents = new Set((named ?? []).map(contentOf));
      return [...(named ?? []), ...MBART50_CODES.filter((code) => !contents.has(code))];
    },
    settings: { src_lang: DEFAULT_SOURCE, tgt_lang: null },
    marks: marksBy(MBART50_CODES, (code, eos) => ({ prefix: [code], between: [], suffix: [eos] })),
  },
};

/**
 * mBART's tokenizers mark a text with its language: `tokens </s> CODE` for mBART, `CODE tokens </s>` for mBART-50, on
 * both sides. The side tells only which setting is the default, `src_lang` or `tgt_lang`.
 */
export function loadMBart(files: TokenizerSource, family: MBartFamily): Tokenizer {
  return loadFairseq(files, FAMILIES[family]);
}

function layoutOf(codes: readonly string[]): FairseqFamily['layout'] {
  return {
    before: [
      ['<s>', 0],
      ['<pad>', 0],
      ['</s>', 0],
      ['<unk>', 0],
    ],
    replaced: 3,
    after: [...codes, '<mask>'],
  };
}

type SurroundingsOf = (code: string, eos: string) => Surroundings;

function marksBy(codes: readonly string[], surroundingsOf: SurroundingsOf): (context: MarksContext) => Marks {
  return ({ idOf, tokens, config, place }) => {
    const path = join(place, 'tokenizer_config.json');
    const { src_lang, tgt_lang } = check(languagesSchema, config, path);
    const eos = tokens.roles.get('eos') ?? '</s>';
    const known = [...new Set([...codes, ...tokens.additional])];
    const checked = (code: string, where: string): string => (known.includes(code) ? code : refuse(code, where, known));
    const source = checked(src_lang ?? DEFAULT_SOURCE, `the src_lang of ${path}`);
    const target = checked(tgt_lang ?? DEFAULT_TARGET, `the tgt_lang of ${path}`);
    const templates = new Map(known.map((code) => [code, templateOf(surroundingsOf(code, eos), idOf)]));
    return {
      template: ({ language, target: isTarget }: EncodeOptions): Template =>
        templates.get(language === undefined ? (isTarget ? target : source) : checked(language, 'the language'))!,
      post: surroundingsJson(surroundingsOf(source, eos), (token) => idOf(token)!),
    };
  };
}

function templateOf({ prefix, suffix }: Surroundings, idOf: MarksContext['idOf']): Template {
  const ids = (tokens: readonly string[]) => tokens.map((token) => idOf(token)!);
  return { prefix: ids(prefix), suffix: ids(suffix) };
}

function refuse(code: string, where: string, known: readonly string[]): never {
  // Its language says more than its region: "fr_FR" means "fr_XX", not "ar_AR".
  const language = code.slice(0, 2).toLowerCase();
  const meant = known.find((candidate) => candidate.startsWith(`${language}_`)) ?? nearest(code, known);
  return fail(
    'tokenizer',
    `${where} is ${JSON.stringify(code)}, which is no language code of it.${meant ? ` Did you mean "${meant}"?` : ''} Known are ${known.join(', ')}.`,
  );
}

function contentOf(token: string | { content: string }): string {
  return typeof token === 'string' ? token : token.content;
}
