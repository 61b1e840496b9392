import { z } from 'zod';
import { fail } from '../errors.js';
import { addedTokenSchema } from './added-tokens.js';
import { metaspaceDecode, metaspacePreTokenizerSchema, metaspaceSchema, metaspaceSplit } from './metaspace.js';
import { normalizerOf, normalizerSchema } from './serialized-normalizer.js';
import { REMEDY } from './source.js';
import type { SubwordModel } from './subword-tokenizer.js';
import { postProcessorSchema } from './template.js';
import { type ScoredToken, UnigramEncoder } from './unigram-encoder.js';

/** The parts of a tokenizer.json that a tokenizer made from SentencePiece can have. */
export const unigramSchema = z.looseObject({
  added_tokens: z.array(addedTokenSchema).default([]),
  normalizer: normalizerSchema.default(null),
  pre_tokenizer: metaspacePreTokenizerSchema,
  post_processor: postProcessorSchema.nullable().default(null),
  decoder: metaspaceSchema,
  model: z.looseObject({
    type: z.literal('Unigram').optional(),
    unk_id: z.int().nonnegative(),
    byte_fallback: z.literal(false).optional(),
    // One check for all of a quarter of a million: zod's own takes as long as the rest of loading.
    vocab: z.custom<readonly ScoredToken[]>(isVocabulary, 'not a list of tokens with their scores'),
  }),
});
export type UnigramJson = z.infer<typeof unigramSchema>;

function isVocabulary(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (entry) =>
        Array.isArray(entry) && entry.length === 2 && typeof entry[0] === 'string' && typeof entry[1] === 'number',
    )
  );
}

/** What a tokenizer.json does with the text between added tokens; `path` names it in errors. */
export function unigramModel(serialized: UnigramJson, path: string): SubwordModel {
  const { vocab, unk_id } = serialized.model;
  if (unk_id >= vocab.length) {
    fail(
      'tokenizer',
      `${path}: the unknown token is ${unk_id}, but the vocabulary has ${vocab.length} tokens. ${REMEDY}`,
    );
  }
  const words = new UnigramEncoder(vocab, unk_id);
  const split = metaspaceSplit(serialized.pre_tokenizer);
  const normalize = normalizerOf(serialized.normalizer);
  return {
    vocab: words.vocab,
    ...(normalize && { normalize }),
    encode(text, out, limit) {
      for (const word of split(text, out.length === 0)) {
        if (out.length >= limit) return;
        words.encode(word, out);
      }
    },
    decode: (tokens) => metaspaceDecode(serialized.decoder, tokens),
  };
}
