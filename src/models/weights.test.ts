import fs from 'node:fs';
import path from 'node:path';
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

it("draws Marian's positions as Transformers does, to the last bit", () => {
  const weights = new ModelWeights([
    { name: 'positions', shape: [512, 64], initialization: { kind: 'sinusoidal' }, buffer: true },
    { name: 'odd', shape: [4, 5], initialization: { kind: 'sinusoidal' }, buffer: true },
  ]);
  weights.initialize(1);
  const fixture = fs.readFileSync(path.resolve(import.meta.dirname, '../../tests/fixtures/weights/sinusoidal.f32'));
  const expected = new Int32Array(new Uint8Array(fixture).buffer);
  const { buffer, byteOffset, length } = weights.array('positions');
  expect(length).toBe(expected.length);
  const different = new Int32Array(buffer, byteOffset, length).filter((bits, i) => bits !== expected[i]);
  expect(different.length).toBe(0);

  const third = Array.from(weights.array('odd').subarray(15));
  const [a, b, c] = [0, 2, 4].map((exponent) => 3 / 10000 ** (exponent / 5)) as [number, number, number];
  expect(third).toEqual([Math.sin(a), Math.sin(b), Math.sin(c), Math.cos(a), Math.cos(b)].map(Math.fround));
});

it('tells arrays with NaN or infinity anywhere, whatever is beside them', () => {
  for (const length of [1, 3, 4, 7, 64, 257]) {
    const weights = new ModelWeights([
      { name: 'before', shape: [5], initialization: { kind: 'ones' } },
      { name: 'array', shape: [length], initialization: { kind: 'normal', std: 1 } },
      { name: 'after', shape: [1], initialization: { kind: 'ones' } },
    ]);
    weights.initialize(2);
    weights.array('before').fill(Number.NaN);
    weights.array('after').fill(Number.NaN);
    const array = weights.array('array');
    expect(weights.isFinite('array')).toBe(true);
    for (let i = 0; i < length; i++) {
      const value = array[i]!;
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        array[i] = bad;
        expect(weights.isFinite('array')).toBe(false);
      }
      array[i] = value;
    }
  }
});
