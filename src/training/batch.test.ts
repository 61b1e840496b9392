import { expect, it } from 'vitest';
import { architectureOf } from '../models/index.js';
import { createBatch } from './batch.js';

const architecture = architectureOf({
  model_type: 'bart',
  vocab_size: 20,
  d_model: 4,
  encoder_layers: 1,
  decoder_layers: 1,
  encoder_attention_heads: 1,
  decoder_attention_heads: 1,
  encoder_ffn_dim: 4,
  decoder_ffn_dim: 4,
  max_position_embeddings: 16,
});
const example = (source: number[], labels: number[]) => ({
  source: Int32Array.from(source),
  target: Int32Array.from(labels),
});

it('packs both sides, and shifts labels behind the start token', () => {
  const batch = createBatch([example([0, 5, 2], [0, 7, 8, 2]), example([0, 2], [0, 2])], architecture);
  const data = (name: string) => [...(batch.feeds[name]!.data as Int32Array)];
  expect(data('source.ids')).toEqual([0, 5, 2, 0, 2]);
  expect(data('source.positions')).toEqual([0, 1, 2, 0, 1]);
  expect(data('source.packIndex')).toEqual([0, 1, 2, 3, 4]);
  expect(data('source.padIndex')).toEqual([0, 1, 2, 3, 4, 5]);
  expect(data('target.ids')).toEqual([2, 0, 7, 8, 2, 0]);
  expect(data('target.padIndex')).toEqual([0, 1, 2, 3, 4, 5, 6, 6]);
  expect(data('labels')).toEqual([0, 7, 8, 2, 0, 2]);
  expect(batch).toMatchObject({ labelCount: 6, tokenCount: 11, rows: 2 });
  expect(Object.fromEntries(batch.sizes)).toEqual({
    batch: 2,
    sourceTokens: 5,
    targetTokens: 6,
    sourceLength: 3,
    targetLength: 4,
  });
});

it('gives padding among the labels no weight, and the batch its share of the step', () => {
  const padding = architecture.padTokenId;
  const batch = createBatch([example([0, 2], [0, padding, 2, padding])], architecture, 1 / 2);
  expect([...(batch.feeds.labelWeights!.data as Float32Array)]).toEqual([0.25, 0, 0.25, 0]);
  expect(batch.labelCount).toBe(2);
});

it('hides padding of the source and what comes later in the target', () => {
  const batch = createBatch([example([0, 5, 2], [0, 2]), example([0, 2], [0, 2])], architecture);
  const hidden = (name: string) => [...(batch.feeds[name]!.data as Float32Array)].map((bias) => Number(bias < 0));
  expect(hidden('source.bias')).toEqual([0, 0, 0, 0, 0, 1]);
  expect(hidden('target.causalBias')).toEqual([0, 1, 0, 0]);
});
