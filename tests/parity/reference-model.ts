import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openWeights } from '../../src/checkpoints/index.js';
import { compile } from '../../src/engine/index.js';
import { GenerationPrograms, generate, resolveGenerationOptions } from '../../src/generation/index.js';
import { linear, reshape } from '../../src/graph/index.js';
import { KernelPool } from '../../src/kernels/index.js';
import {
  Builder,
  feedTensors,
  type JsonObject,
  type ModelWeights,
  PLANES,
  packedDecoderAttention,
  packedInput,
  type Seq2SeqArchitecture,
  sourceInput,
  weightInputs,
} from '../../src/models/index.js';
import { createBatch, type Example, GradientProgram } from '../../src/training/index.js';

// What Transformers answers for tiny random models; see scripts/reference/README.md.

interface Answer {
  sequences: number[][];
  scores?: number[];
}
interface Expected {
  batch: { sources: number[][]; targets: number[][]; loss: number };
  generation: {
    sources: number[][];
    batch64: number[];
    settings: Record<string, { arguments: Record<string, unknown>; answers: Answer[] }>;
  };
}

/** A model of a fixture, as this package loads it. */
export interface LoadedFixture {
  readonly architecture: Seq2SeqArchitecture;
  readonly weights: ModelWeights;
  readonly config: JsonObject;
  readonly generationConfig?: JsonObject | undefined;
}

const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

/** A key's bias moves all scores of a row alike, which softmax ignores: its gradient is zero but for rounding. */
export const isKeyBias = (name: string) => /\b(k_proj|key|k_lin)\.bias$/.test(name);

/** Largest deviation, relative to the largest value. */
function deviation(actual: Float32Array, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  let [largest, difference] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    difference = Math.max(difference, Math.abs(actual[i]! - expected[i]!));
  }
  return difference / largest;
}

/** expected.json of a fixture, and the arrays of its expected.safetensors. */
export function readReference(directory: string) {
  const expected: unknown = JSON.parse(readFileSync(path.join(directory, 'expected.json'), 'utf8'));
  const { weights, close } = openWeights(path.join(directory, 'expected.safetensors'));
  const array = (name: string): Float32Array => {
    const weight = weights.get(name)!;
    const data = new Float32Array(weight.shape.reduce((a, b) => a * b, 1));
    weight.read(data);
    return data;
  };
  return { expected, names: [...weights.keys()], array, close };
}

function examplesOf(sources: readonly number[][], targets: readonly number[][]): Example[] {
  return sources.map((source, i) => ({ source: Int32Array.from(source), target: Int32Array.from(targets[i]!) }));
}

/** The logits of every target token, and the encoder's output. */
async function forward({ architecture, weights }: LoadedFixture, examples: readonly Example[]) {
  const m = Builder.create({ parameters: architecture.parameters, training: false });
  const source = sourceInput();
  const target = packedInput('target');
  const encoded = architecture.encoder(m, source);
  const attention = packedDecoderAttention(architecture.decoderAttention, source, target.layout);
  const hidden = architecture.decoder(m, { ids: target.ids, positions: target.positions, attention, encoded });
  const bias = reshape(m.parameter(architecture.head.bias!), [architecture.vocabSize]);
  const program = compile({ encoded, logits: linear(hidden, m.parameter(architecture.head.weight), bias) });
  const fed = feedTensors(createBatch(examples, architecture).feeds);
  const { labels: _, labelWeights: __, ...feeds } = fed;
  const results = await program.run({ ...weightInputs(program, weights), ...feeds });
  program.dispose();
  return { encoded: results.encoded!.data as Float32Array, logits: results.logits!.data as Float32Array };
}

/** The tests of one fixture: encoder output, logits, loss, gradients, and answers alone and in batches. */
export function testAgainstReference(directory: string, model: LoadedFixture): void {
  const reference = readReference(directory);
  const expected = reference.expected as Expected;
  const { array } = reference;
  const { architecture, weights } = model;
  const pool = new KernelPool(1);
  const programs = new GenerationPrograms(architecture, weights, 2);
  const examples = examplesOf(expected.batch.sources, expected.batch.targets);

  afterAll(async () => {
    reference.close();
    programs.dispose();
    await pool.dispose();
  });

  it('has the encoder output and the logits', async () => {
    const { encoded, logits } = await forward(model, examples);
    // What cross-attention sees: projected, where the decoder is of another width.
    const projected = reference.names.includes('encoder_projected');
    expect(deviation(encoded, array(projected ? 'encoder_projected' : 'encoder_last_hidden_state'))).toBeLessThan(1e-5);
    expect(deviation(logits, array('logits'))).toBeLessThan(1e-5);
  });

  it('has the loss and the gradient of every weight', async () => {
    const program = new GradientProgram(architecture, weights, { seed: 0, threads: 2, pool });
    const loss = await program.run(createBatch(examples, architecture), 0, false);
    expect(Math.abs(loss / expected.batch.loss - 1)).toBeLessThan(1e-5);
    const names = reference.names.filter((name) => name.startsWith('gradient.'));
    expect(names.map((name) => name.slice('gradient.'.length)).sort()).toEqual([...program.trainable].sort());
    for (const name of names) {
      const gradient = weights.planes.array(name.slice('gradient.'.length), PLANES.gradients);
      if (isKeyBias(name))
        expect(
          gradient.every((value) => Math.abs(value) < 1e-5),
          name,
        ).toBe(true);
      else expect(deviation(gradient, array(name)), name).toBeLessThan(1e-5);
    }
    program.dispose();
  });

  describe.each(Object.entries(expected.generation.settings))('generates as %s', (_, setting) => {
    const args = Object.fromEntries(Object.entries(setting.arguments).map(([name, value]) => [camel(name), value]));
    const options = resolveGenerationOptions(
      args,
      model.generationConfig ?? {},
      model.config,
      architecture.generationDefaults,
    );
    const sources = expected.generation.sources.map((source) => Int32Array.from(source));

    it.each([
      ['alone', 1, sources.map((_, i) => i)],
      ['as one batch', 6, sources.map((_, i) => i)],
      ['in a batch of 64', 64, expected.generation.batch64],
    ])('%s', async (_, batchSize, items) => {
      const found = await generate(
        programs,
        items.map((item) => sources[item]!),
        options,
        { batchSize },
      );
      for (const [i, item] of items.entries()) {
        const answer = setting.answers[item]!;
        expect(found[i]!.map(({ ids }) => [...ids])).toEqual(answer.sequences);
        for (const [rank, score] of (answer.scores ?? []).entries()) {
          expect(Math.abs(found[i]![rank]!.score! - score)).toBeLessThan(1e-5 * Math.max(5, Math.abs(score)));
        }
      }
    });
  });
}
