import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Random } from '../data/index.js';
import { KernelPool } from '../kernels/index.js';
import { architectureOf, type JsonObject, ModelWeights, PLANES } from '../models/index.js';
import { createBatch } from './batch.js';
import type { Example } from './examples.js';
import { GradientProgram } from './gradient-program.js';
import { rectanglesOf } from './rectangles.js';

const random = new Random(3);
const sequence = (length: number) => Int32Array.from({ length }, () => 5 + random.below(40));
const example = (source: number, target: number): Example => ({ source: sequence(source), target: sequence(target) });
const lengthsOf = (group: readonly Example[]) => group.map(({ source }) => source.length);

describe('rectangles', () => {
  it('are one where lengths are alike, in the order given', () => {
    const examples = [20, 24, 22, 21].map((length) => example(length, length - 5));
    expect(rectanglesOf(examples)).toEqual([examples]);
    expect(rectanglesOf([example(500, 500)])).toHaveLength(1);
  });

  it('keep one long text apart from many short ones', () => {
    const examples = [...Array.from({ length: 31 }, () => example(8, 8)), example(512, 100)];
    expect(rectanglesOf(examples).map(lengthsOf)).toEqual([[512], Array(31).fill(8)]);
  });

  it('hold every example once, and together have fewer places than one', () => {
    const size = fc.integer({ min: 1, max: 400 });
    fc.assert(
      fc.property(fc.array(fc.tuple(size, size), { minLength: 1, maxLength: 60 }), (sizes) => {
        const examples = sizes.map(([source, target]) => example(source, target));
        const groups = rectanglesOf(examples);
        expect(groups.length).toBeLessThanOrEqual(4);
        expect(new Set(groups.flat())).toEqual(new Set(examples));
        expect(groups.flat()).toHaveLength(examples.length);
      }),
      { seed: 1, numRuns: 40 },
    );
  });
});

const noDropout = { dropout: 0, attention_dropout: 0, activation_dropout: 0 };
const bart = {
  ...{ model_type: 'bart', vocab_size: 50, d_model: 16, max_position_embeddings: 600, pad_token_id: 1, ...noDropout },
  ...{ encoder_layers: 2, decoder_layers: 2, encoder_attention_heads: 4, decoder_attention_heads: 2 },
  ...{ encoder_ffn_dim: 24, decoder_ffn_dim: 24, decoder_start_token_id: 2, eos_token_id: 2, init_std: 0.3 },
};
const half = {
  ...{ model_type: 'bert', vocab_size: 50, hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2 },
  ...{ intermediate_size: 24, max_position_embeddings: 600, hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 },
  ...{ initializer_range: 0.3 },
};
const bert2bert = {
  model_type: 'encoder-decoder',
  encoder: half,
  decoder: { ...half, is_decoder: true, add_cross_attention: true },
  ...{ decoder_start_token_id: 2, pad_token_id: 1, eos_token_id: 3 },
};

describe.each<[string, JsonObject]>([
  ['BART', bart],
  ['a generic encoder-decoder', bert2bert as unknown as JsonObject],
])('%s over several rectangles', (_, config) => {
  const architecture = architectureOf(config);
  const weights = new ModelWeights(architecture.parameters);
  weights.initialize(1);
  const pool = new KernelPool(1);
  const program = new GradientProgram(architecture, weights, { seed: 1, threads: 2, pool });
  afterAll(async () => {
    program.dispose();
    await pool.dispose();
  });
  const gradients = () =>
    new Map(program.trainable.map((name) => [name, weights.planes.array(name, PLANES.gradients).slice()]));

  it('draws dropout for each rectangle, the same again for the same draw', async () => {
    const dropping = {
      dropout: 0.2,
      attention_dropout: 0.2,
      hidden_dropout_prob: 0.2,
      attention_probs_dropout_prob: 0.2,
    };
    const halves = ['encoder', 'decoder'].flatMap((side) =>
      side in config ? [[side, { ...(config[side] as JsonObject), ...dropping }]] : [],
    );
    const other = architectureOf({ ...config, ...dropping, ...Object.fromEntries(halves) });
    const dropped = new GradientProgram(other, weights, { seed: 1, threads: 2, pool });
    const batch = createBatch([example(300, 20), ...Array.from({ length: 8 }, () => example(8, 9))], other);
    const losses = [
      await dropped.run(batch, 3, false),
      await dropped.run(batch, 4, false),
      await dropped.run(batch, 3, false),
    ];
    expect(batch.groups).toBe(2);
    expect(losses[0]).toBe(losses[2]);
    expect(losses[0]).not.toBe(losses[1]);
    dropped.dispose();
  });

  it.each([2, 3])('has the loss and gradients of its parts, %d of them', async (count) => {
    const sizes = [
      [300, 20],
      [8, 150],
      [9, 7],
      [6, 9],
    ].slice(0, count + 1) as [number, number][];
    const examples = sizes.flatMap(([source, target], i) =>
      Array.from({ length: i === 0 ? 1 : 4 }, () => example(source, target)),
    );
    const whole = createBatch(examples, architecture);
    expect(whole.groups).toBeGreaterThan(1);
    const loss = await program.run(whole, 0, false);
    const found = gradients();

    let expected = 0;
    for (const [i, each] of examples.entries()) {
      const alone = createBatch([each], architecture);
      const share = alone.labelCount / whole.labelCount;
      expected += await program.run(createBatch([each], architecture, share), 0, i > 0);
    }
    expect(Math.abs(loss / expected - 1)).toBeLessThan(1e-5);
    for (const [name, gradient] of gradients()) {
      const largest = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
      const difference = gradient.reduce((most, value, i) => Math.max(most, Math.abs(value - found.get(name)![i]!)), 0);
      expect(difference / largest, name).toBeLessThan(/k_proj.bias|key.bias/.test(name) ? 1 : 2e-4);
    }
  });
});
