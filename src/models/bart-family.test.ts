import { describe, expect, it } from 'vitest';
import { architectureOf } from './index.js';

const sizes = {
  vocab_size: 20,
  d_model: 8,
  encoder_layers: 1,
  decoder_layers: 1,
  encoder_attention_heads: 2,
  decoder_attention_heads: 2,
  encoder_ffn_dim: 8,
  decoder_ffn_dim: 8,
  max_position_embeddings: 16,
};
const marian = { ...sizes, model_type: 'marian', pad_token_id: 19, decoder_start_token_id: 19 };
const mbart = { ...sizes, model_type: 'mbart' };
const ids = (...values: number[]) => Int32Array.from(values);

describe('what a target teaches', () => {
  it('BART and Marian: the labels behind the start token', () => {
    const labels = ids(5, 6, 0);
    expect(architectureOf(marian).teach(labels)).toEqual({ decoderInput: ids(19, 5, 6), labels });
    const bart = architectureOf({ ...sizes, model_type: 'bart', decoder_start_token_id: 7 });
    expect(bart.teach(labels)).toEqual({ decoderInput: ids(7, 5, 6), labels });
  });

  it.each([
    ['mbart', [5, 6, 2, 17], [17, 5, 6, 2]],
    ['mbart50', [17, 5, 6, 2], [2, 17, 5, 6]],
    ['mbart', [5, 2, 17, 1, 1], [17, 5, 2, 17, 1]],
    ['mbart', [1, 1], [1, 1]],
  ])('%s: the last token comes first', (type, labels, decoderInput) => {
    expect(architectureOf(mbart, type).teach(ids(...labels)).decoderInput).toEqual(ids(...decoderInput));
  });
});

it('mBART is told the target language by its start token, mBART-50 by its first', () => {
  expect(architectureOf(mbart).languageCode).toBe('decoderStartTokenId');
  expect(architectureOf(mbart, 'mbart50').languageCode).toBe('forcedBosTokenId');
  expect(architectureOf(marian).languageCode).toBeUndefined();
});

describe('the embeddings of Marian', () => {
  const shapes = (config: object) =>
    Object.fromEntries(
      architectureOf({ ...marian, ...config })
        .parameters.filter(({ name }) => /shared|embed_tokens|lm_head|logits_bias/.test(name))
        .map(({ name, shape, aliases = [] }) => [name, [...shape, ...aliases]]),
    );

  it('are one table', () => {
    expect(shapes({})).toEqual({
      'model.shared.weight': [
        20,
        8,
        'model.encoder.embed_tokens.weight',
        'model.decoder.embed_tokens.weight',
        'lm_head.weight',
      ],
      final_logits_bias: [1, 20],
    });
  });

  it('or one for each side', () => {
    expect(shapes({ share_encoder_decoder_embeddings: false, decoder_vocab_size: 24 })).toEqual({
      'model.encoder.embed_tokens.weight': [20, 8],
      'model.decoder.embed_tokens.weight': [24, 8, 'lm_head.weight'],
      final_logits_bias: [1, 24],
    });
  });
});

it('refuses special tokens outside a vocabulary', () => {
  expect(() => architectureOf({ ...sizes, model_type: 'marian' })).toThrow(
    'pad_token_id 58100 lies outside the vocabulary of 20 tokens',
  );
  const separate = { ...marian, share_encoder_decoder_embeddings: false, decoder_vocab_size: 12 };
  expect(() => architectureOf(separate)).toThrow('pad_token_id 19 lies outside the vocabulary of 12 tokens');
});
