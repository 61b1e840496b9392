import { z } from 'zod';
import { isSpace } from './character-class.js';

/** Words begin with it where a space was. */
export const METASPACE = '\u2581';

/** Older files say `add_prefix_space` in place of `prepend_scheme`; as in its library, false is only for "never". */
export const metaspaceSchema = z
  .looseObject({
    type: z.literal('Metaspace'),
    replacement: z.literal(METASPACE),
    prepend_scheme: z.enum(['always', 'first', 'never']).default('always'),
    add_prefix_space: z.boolean().nullish(),
    split: z.boolean().nullish(),
  })
  .refine(
    ({ prepend_scheme, add_prefix_space }) => add_prefix_space !== false || prepend_scheme === 'never',
    'add_prefix_space false needs the prepend_scheme "never"',
  );
export type Metaspace = z.infer<typeof metaspaceSchema>;

const whitespaceSplit = z.looseObject({ type: z.literal('WhitespaceSplit') });

/** tokenizer.json's `pre_tokenizer`, alone or after the white space is taken out. */
export const metaspacePreTokenizerSchema = z.union([
  metaspaceSchema,
  z.looseObject({
    type: z.literal('Sequence'),
    pretokenizers: z.union([z.tuple([metaspaceSchema]), z.tuple([whitespaceSplit, metaspaceSchema])]),
  }),
]);

/** Cuts a text into words, each with its {@link METASPACE}; `isFirst`: nothing stands before the text. */
export type MetaspaceSplit = (text: string, isFirst: boolean) => Iterable<string>;

export function metaspaceSplit(preTokenizer: z.infer<typeof metaspacePreTokenizerSchema>): MetaspaceSplit {
  const steps = preTokenizer.type === 'Sequence' ? preTokenizer.pretokenizers : ([preTokenizer] as const);
  const { prepend_scheme, split } = steps.at(-1) as Metaspace;
  const words = (text: string, isFirst: boolean): Iterable<string> => {
    const replaced = text.replaceAll(' ', METASPACE);
    const prepends = prepend_scheme === 'always' || (prepend_scheme === 'first' && isFirst);
    const whole = prepends && !replaced.startsWith(METASPACE) ? METASPACE + replaced : replaced;
    return split === false ? [whole] : beforeEach(whole);
  };
  return steps.length === 1 ? words : (text, isFirst) => betweenSpaces(text, isFirst, words);
}

function* beforeEach(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const next = text.indexOf(METASPACE, start + 1);
    const end = next < 0 ? text.length : next;
    yield text.slice(start, end);
    start = end;
  }
}

function* betweenSpaces(text: string, isFirst: boolean, words: MetaspaceSplit): Generator<string> {
  for (let start = 0; start < text.length; start++) {
    if (isSpace(text, start)) continue;
    let end = start + 1;
    while (end < text.length && !isSpace(text, end)) end++;
    yield* words(text.slice(start, end), isFirst && start === 0);
    start = end;
  }
}

/** Tokens as text: those of the first are dropped unless none is ever put in front, all others are spaces. */
export function metaspaceDecode({ prepend_scheme }: Metaspace, tokens: readonly string[]): string {
  const [first = '', ...others] = tokens;
  const start = first.replaceAll(METASPACE, prepend_scheme === 'never' ? ' ' : '');
  return start + others.join('').replaceAll(METASPACE, ' ');
}
