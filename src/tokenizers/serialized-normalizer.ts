import { z } from 'zod';
import { isSpace } from './character-class.js';
import { PrecompiledNormalizer } from './sentencepiece/index.js';

const step = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('Precompiled'), precompiled_charsmap: z.string().min(1) }),
  z.looseObject({ type: z.literal('Strip'), strip_left: z.boolean(), strip_right: z.boolean() }),
  z.looseObject({
    type: z.literal('Replace'),
    // Of regular expressions the one that the conversion from SentencePiece writes: those of its library are not JavaScript's.
    pattern: z.union([z.object({ String: z.string().min(1) }), z.object({ Regex: z.literal(' {2,}') })]),
    content: z.string(),
  }),
]);

/** tokenizer.json's `normalizer`, as far as the tokenizers made from SentencePiece have it. */
export const normalizerSchema = z
  .union([step, z.looseObject({ type: z.literal('Sequence'), normalizers: z.array(step) })])
  .nullable();
export type SerializedNormalizer = z.infer<typeof normalizerSchema>;

type Normalize = (text: string) => string;

/** What a serialised normaliser does; undefined for none. */
export function normalizerOf(normalizer: SerializedNormalizer): Normalize | undefined {
  if (normalizer === null) return undefined;
  if (normalizer.type !== 'Sequence') return stepOf(normalizer);
  const steps = normalizer.normalizers.map(stepOf);
  return (text) => steps.reduce((normalized, next) => next(normalized), text);
}

function stepOf(normalizer: z.infer<typeof step>): Normalize {
  switch (normalizer.type) {
    case 'Precompiled': {
      const precompiled = new PrecompiledNormalizer(Buffer.from(normalizer.precompiled_charsmap, 'base64'));
      return (text) => {
        if (text.length <= PART) return precompiled.normalizeGraphemes(text);
        return Array.from(parts(text), (part) => precompiled.normalizeGraphemes(part)).join('');
      };
    }
    case 'Strip':
      return (text) => strip(text, normalizer.strip_left, normalizer.strip_right);
    case 'Replace': {
      const { pattern, content } = normalizer;
      const sought = 'String' in pattern ? pattern.String : / {2,}/g;
      return (text) => text.replaceAll(sought, () => content);
    }
  }
}

/** In UTF-16 units. */
const PART = 1024;
const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** A text in parts that end between grapheme clusters: finding clusters takes the square of the time for long texts. */
function* parts(text: string): Generator<string> {
  let start = 0;
  for (let size = PART; start + size < text.length; ) {
    const end = start + size - Number(text.codePointAt(start + size - 1)! > 0xffff);
    const part = text.slice(start, end);
    // What follows may belong to the last cluster, which therefore waits for the next part, or is the whole of a longer one.
    const last = graphemes.segment(part).containing(part.length - 1)!.index;
    if (last > 0) yield part.slice(0, last);
    start += last;
    size = last > 0 ? PART : 2 * size;
  }
  yield text.slice(start);
}

function strip(text: string, left: boolean, right: boolean): string {
  let start = 0;
  let end = text.length;
  while (left && start < end && isSpace(text, start)) start++;
  while (right && end > start && isSpace(text, end - 1)) end--;
  return text.slice(start, end);
}
