import { afterAll, expect, it } from 'vitest';
import { compile } from '../engine/index.js';
import { KernelPool } from '../kernels/index.js';
import {
  architectureOf,
  Builder,
  feedTensors,
  ModelWeights,
  PLANES,
  packedDecoderAttention,
  packedInput,
  type Seq2SeqArchitecture,
  sourceInput,
  weightInputs,
} from '../models/index.js';
import { type Batch, createBatch } from './batch.js';
import { GradientProgram } from './gradient-program.js';

const pool = new KernelPool(1);
afterAll(() => pool.dispose());

const bert = {
  model_type: 'bert',
  hidden_size: 4,
  num_hidden_layers: 1,
  num_attention_heads: 1,
  intermediate_size: 4,
  max_position_embeddings: 8,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  initializer_range: 0.7,
};

/** The decoder's output, [tokens, size]. */
async function hiddenOf(architecture: Seq2SeqArchitecture, weights: ModelWeights, batch: Batch) {
  const m = Builder.create({ parameters: architecture.parameters, training: false });
  const source = sourceInput();
  const { ids, positions, layout } = packedInput('target');
  const attention = packedDecoderAttention(architecture.decoderAttention, source, layout);
  const encoded = architecture.encoder(m, source);
  const program = compile({ hidden: architecture.decoder(m, { ids, positions, attention, encoded }) });
  const { labels: _, labelWeights: __, ...feeds } = feedTensors(batch.feeds);
  const results = await program.run({ ...weightInputs(program, weights), ...feeds });
  program.dispose();
  return results.hidden!.data as Float32Array;
}

/** The loss, and with p = softmax(h·Wᵀ + b): db = Σ share·(p − onehot), dW = Σ share·(p − onehot)·h, in double precision. */
function expectedOf(hidden: Float32Array, weight: Float32Array, bias: Float32Array, { feeds }: Batch) {
  const [labels, shares] = [feeds.labels!.data, feeds.labelWeights!.data] as [Int32Array, Float32Array];
  const [size, vocabSize] = [hidden.length / labels.length, bias.length];
  const expected = { loss: 0, bias: new Float64Array(vocabSize), weight: new Float64Array(weight.length) };
  for (const [token, label] of labels.entries()) {
    const h = hidden.subarray(token * size, (token + 1) * size);
    const logits = Float64Array.from(bias, (b, id) => h.reduce((sum, x, k) => sum + x * weight[id * size + k]!, b));
    const partition = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
    expected.loss += shares[token]! * (partition - logits[label]!);
    for (const [id, logit] of logits.entries()) {
      const change = shares[token]! * (Math.exp(logit - partition) - Number(id === label));
      expected.bias[id]! += change;
      for (let k = 0; k < size; k++) expected.weight[id * size + k]! += change * h[k]!;
    }
  }
  return expected;
}

function expectNear(actual: Float32Array, expected: Float64Array): void {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (const [i, value] of expected.entries()) {
    if (Math.abs(actual[i]! - value) > 1e-5 * largest) expect.fail(`${i}: ${actual[i]} is not ${value}`);
  }
}

// One piece of the vocabulary, two, and two with a remainder; labels on both sides of a border.
it.each([50, 8192, 9001])('has the gradient of a head and its bias, with %i tokens', async (vocabSize) => {
  const architecture = architectureOf({
    model_type: 'encoder-decoder',
    encoder: { ...bert, vocab_size: 20 },
    decoder: { ...bert, vocab_size: vocabSize, tie_word_embeddings: false },
  });
  const { head } = architecture;
  const weights = new ModelWeights(architecture.parameters);
  weights.initialize(1);
  const bias = weights.array(head.bias!);
  for (let i = 0; i < bias.length; i++) bias[i] = Math.sin(i);
  const last = vocabSize - 1;
  const batch = createBatch(
    [
      { source: Int32Array.of(2, 9, 3), target: Int32Array.of(2, Math.min(4095, last), Math.min(4096, last), 7, 3) },
      { source: Int32Array.of(2, 3), target: Int32Array.of(2, 7, last, 3) },
    ],
    architecture,
  );
  const expected = expectedOf(await hiddenOf(architecture, weights, batch), weights.array(head.weight), bias, batch);

  const program = new GradientProgram(architecture, weights, { seed: 0, threads: 1, pool });
  const gradient = (name: string) => weights.planes.array(name, PLANES.gradients);
  expect(await program.run(batch, 0, false)).toBeCloseTo(expected.loss, 5);
  expectNear(gradient(head.bias!), expected.bias);
  expectNear(gradient(head.weight), expected.weight);

  await program.run(batch, 1, true);
  expectNear(
    gradient(head.bias!),
    expected.bias.map((value) => 2 * value),
  );
  program.dispose();
});
