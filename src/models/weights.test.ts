import { expect, it } from 'vitest';
import { architectureOf } from './index.js';
import { ModelWeights } from './weights.js';

const { parameters } = architectureOf({
  model_type: 'bart',
  vocab_size: 500,
  d_model: 64,
  encoder_layers: 1,
  decoder_layers: 1,
  encoder_attention_heads: 2,
  decoder_attention_heads: 2,
  encoder_ffn_dim: 128,
  decoder_ffn_dim: 128,
  max_position_embeddings: 32,
  init_std: 0.05,
});

it('draws weights as Transformers initialises BART', () => {
  const weights = new ModelWeights(parameters);
  weights.initialize(3);
  const shared = weights.array('model.shared.weight');
  expect(
    shared.subarray(64, 128).every((value) => value === 0),
    'the padding row',
  ).toBe(true);
  const drawn = shared.filter((value) => value !== 0);
  const mean = drawn.reduce((a, b) => a + b, 0) / drawn.length;
  const deviation = Math.sqrt(drawn.reduce((a, b) => a + (b - mean) ** 2, 0) / drawn.length);
  expect(Math.abs(mean)).toBeLessThan(0.001);
  expect(Math.abs(deviation - 0.05)).toBeLessThan(0.001);
  expect(new Set(weights.array('model.encoder.layers.0.fc1.bias'))).toEqual(new Set([0]));
  expect(new Set(weights.array('model.encoder.layernorm_embedding.weight'))).toEqual(new Set([1]));
  expect(weights.isZero('final_logits_bias')).toBe(true);
});

it('one seed gives one model, another another', () => {
  const draw = (seed: number) => {
    const weights = new ModelWeights(parameters);
    weights.initialize(seed);
    return weights.array('model.decoder.layers.0.fc2.weight').slice();
  };
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
});

it('counts what is trained: no buffers', () => {
  const weights = new ModelWeights(parameters);
  const all = parameters.reduce((total, { shape }) => total + shape.reduce((a, b) => a * b, 1), 0);
  expect(weights.parameterCount).toBe(all - 500);
});
