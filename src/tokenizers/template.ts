import { z } from 'zod';

/** The special tokens that go around a text. */
export interface Template {
  prefix: readonly number[];
  suffix: readonly number[];
}

const tokenAndId = z.tuple([z.string(), z.int()]);

const processor = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('RobertaProcessing'), cls: tokenAndId, sep: tokenAndId }),
  z.looseObject({ type: z.literal('BertProcessing'), cls: tokenAndId, sep: tokenAndId }),
  z.looseObject({ type: z.literal('ByteLevel') }),
  z.looseObject({
    type: z.literal('TemplateProcessing'),
    single: z.array(
      z.union([
        z.object({ SpecialToken: z.looseObject({ id: z.string() }) }),
        z.object({ Sequence: z.looseObject({}) }),
      ]),
    ),
    special_tokens: z.record(z.string(), z.looseObject({ ids: z.array(z.int()) })),
  }),
]);

/** tokenizer.json's `post_processor`. */
export const postProcessorSchema = z.union([
  processor,
  z.looseObject({ type: z.literal('Sequence'), processors: z.array(processor) }),
]);
export type PostProcessor = z.infer<typeof postProcessorSchema>;

/** What a post-processor puts around a single text; those of a sequence wrap one another. */
export function templateOf(post: PostProcessor | null | undefined): Template {
  switch (post?.type) {
    case 'RobertaProcessing':
    case 'BertProcessing':
      return { prefix: [post.cls[1]], suffix: [post.sep[1]] };
    case 'TemplateProcessing': {
      const parts = post.single.map((part) =>
        'SpecialToken' in part ? (post.special_tokens[part.SpecialToken.id]?.ids ?? []) : undefined,
      );
      const text = parts.indexOf(undefined);
      const before = text < 0 ? parts.length : text;
      return {
        prefix: parts.slice(0, before).flatMap((ids) => ids!),
        suffix: parts.slice(before + 1).flatMap((ids) => ids!),
      };
    }
    case 'Sequence':
      return post.processors.map(templateOf).reduce((inner, outer) => ({
        prefix: [...outer.prefix, ...inner.prefix],
        suffix: [...inner.suffix, ...outer.suffix],
      }));
    default:
      return { prefix: [], suffix: [] };
  }
}
