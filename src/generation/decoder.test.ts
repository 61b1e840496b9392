import { afterAll, describe, expect, it } from 'vitest';
import { compile } from '../engine/index.js';
import { linear } from '../graph/index.js';
import {
  architectureOf,
  Builder,
  feedTensors,
  ModelWeights,
  packedDecoderAttention,
  packedInput,
  packSource,
  packTarget,
  sourceInput,
  weightInputs,
} from '../models/index.js';
import { CachedDecoder } from './decoder.js';
import { GenerationPrograms } from './programs.js';

// Decoding step by step, with caches that grow and beams that branch, against the decoder over whole targets.

const architecture = architectureOf({
  model_type: 'bart',
  vocab_size: 50,
  d_model: 16,
  encoder_layers: 1,
  decoder_layers: 2,
  encoder_attention_heads: 2,
  decoder_attention_heads: 4,
  encoder_ffn_dim: 32,
  decoder_ffn_dim: 32,
  max_position_embeddings: 128,
  init_std: 0.4,
});
const weights = new ModelWeights(architecture.parameters);
weights.initialize(1);
const programs = new GenerationPrograms(architecture, weights, 1);
afterAll(() => programs.dispose());

const sequence = (length: number, seed: number) =>
  Int32Array.from({ length }, (_, i) => 4 + ((seed * 31 + i * i * 7) % 45));

/** A decoder that has started all its sources. */
async function decoderOf(sources: readonly Int32Array[], beams: number): Promise<CachedDecoder> {
  const decoder = new CachedDecoder(programs, sources, { beams, slots: sources.length, positions: 80 });
  for (const slot of sources.keys()) await decoder.start(slot);
  return decoder;
}

/** The logits behind the last token of each target. */
async function wholeTarget(sources: readonly Int32Array[], targets: readonly Int32Array[]): Promise<Float32Array[]> {
  const m = Builder.create({ parameters: architecture.parameters, training: false });
  const source = sourceInput();
  const target = packedInput('target');
  const encoded = architecture.encoder(m, source);
  const attention = packedDecoderAttention(architecture.decoderAttention, source, target.layout);
  const hidden = architecture.decoder(m, { ids: target.ids, positions: target.positions, attention, encoded });
  const program = compile({ logits: linear(hidden, m.parameter(architecture.head.weight)) }, { threads: 1 });
  const fed = feedTensors({ ...packSource([sources]), ...packTarget([targets]) });
  const { logits } = await program.run({ ...weightInputs(program, weights), ...fed });
  program.dispose();
  let row = 0;
  return targets.map(({ length }) => {
    row += length;
    return (logits!.data as Float32Array).slice((row - 1) * 50, row * 50);
  });
}

const close = (actual: Float32Array, expected: Float32Array) => {
  for (const [i, value] of expected.entries()) expect(Math.abs(actual[i]! - value)).toBeLessThan(2e-4);
};

describe.each([1, 3])('with %i beams', (beams) => {
  it('has the logits of the whole target at every position, across the growth of its caches', async () => {
    const sources = [sequence(7, 1), sequence(3, 2)];
    const decoder = await decoderOf(sources, beams);
    const rows = sources.length * beams;
    // Every row's history, told apart by branching: each row goes on from a neighbour in its item.
    let histories = Array.from({ length: rows }, (): number[] => []);
    for (let position = 0; position < 70; position++) {
      const parents = Int32Array.from({ length: rows }, (_, row) =>
        position === 0 ? row % beams : (row * 5 + position) % beams,
      );
      const tokens = Int32Array.from({ length: rows }, (_, row) => 4 + ((row * 11 + position * 13) % 45));
      histories = Array.from(parents, (parent, row) => [...histories[row - (row % beams) + parent]!, tokens[row]!]);
      await decoder.advance(tokens, parents);
      if (![0, 1, 31, 32, 33, 63, 64, 69].includes(position)) continue;
      const logits = await decoder.logits();
      const expected = await wholeTarget(
        histories.map((_, row) => sources[Math.floor(row / beams)]!),
        histories.map((history) => Int32Array.from(history)),
      );
      for (let row = 0; row < rows; row++) close(logits.subarray(row * 50, (row + 1) * 50), expected[row]!);
    }
    decoder.dispose();
  });
});

it('tells several hundred rows of an item apart', async () => {
  const beams = 300;
  const source = sequence(5, 1);
  const decoder = await decoderOf([source], beams);
  let histories = Array.from({ length: beams }, (): number[] => []);
  for (let position = 0; position < 3; position++) {
    const parents = Int32Array.from({ length: beams }, (_, row) => (position === 0 ? row : (row * 7 + 1) % beams));
    const tokens = Int32Array.from({ length: beams }, (_, row) => 4 + ((row * 11 + position * 13) % 45));
    histories = Array.from(parents, (parent, row) => [...histories[parent]!, tokens[row]!]);
    await decoder.advance(tokens, parents);
  }
  const logits = await decoder.logits();
  const expected = await wholeTarget(
    histories.map(() => source),
    histories.map((history) => Int32Array.from(history)),
  );
  for (const [row, each] of expected.entries()) close(logits.subarray(row * 50, (row + 1) * 50), each);
  decoder.dispose();
});

it('has the logits of the whole target when items leave and others take their places', async () => {
  const beams = 2;
  const sources = [sequence(9, 1), sequence(12, 2), sequence(3, 3), sequence(20, 4), sequence(2, 5)];
  const decoder = new CachedDecoder(programs, sources, { beams, slots: 3, positions: 80 });
  const slots: { source: Int32Array; histories: number[][] }[] = [];
  let next = 0;
  const start = async (slot: number) => {
    await decoder.start(slot);
    slots[slot] = { source: sources[next++]!, histories: [[], []] };
  };
  const drop = (slot: number) => {
    decoder.drop(slot);
    const last = slots.pop()!;
    if (slot < slots.length) slots[slot] = last;
  };
  for (let step = 0; step < 45; step++) {
    if (step === 0) for (const slot of [0, 1, 2]) await start(slot);
    if (step === 9) await start(1);
    if (step === 20) drop(0);
    if (step === 21) await start(2);
    if (step === 40) drop(1);
    if (step === 41) drop(1);
    const rows = slots.flatMap(({ histories }) => histories);
    const tokens = Int32Array.from(rows, (history, row) => 4 + ((row * 11 + history.length * 13 + step) % 45));
    const parents = Int32Array.from(rows, (history, row) => (history.length === 0 ? row : row * 5 + step) % beams);
    for (const [slot, each] of slots.entries()) {
      each.histories = each.histories.map((_, beam) => [
        ...each.histories[parents[slot * beams + beam]!]!,
        tokens[slot * beams + beam]!,
      ]);
    }
    await decoder.advance(tokens, parents);
    const logits = await decoder.logits();
    const expected = await wholeTarget(
      slots.flatMap(({ source }) => [source, source]),
      slots.flatMap(({ histories }) => histories.map((history) => Int32Array.from(history))),
    );
    for (const [row, each] of expected.entries()) close(logits.subarray(row * 50, (row + 1) * 50), each);
  }
  decoder.dispose();
});

it('finds the best tokens with their log-probabilities, also fewer than the program was made for', async () => {
  const decoder = await decoderOf([sequence(5, 3)], 1);
  await decoder.advance(Int32Array.of(2), Int32Array.of(0));
  const logits = await decoder.logits();
  const partition = Math.log(logits.reduce((total, logit) => total + Math.exp(logit), 0));
  const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]!);
  for (const count of [8, 3, 1]) {
    const { ids, logProbs } = await decoder.candidates(count);
    expect([...ids]).toEqual(order.slice(0, count));
    for (const [i, id] of ids.entries()) expect(logProbs[i]!).toBeCloseTo(logits[id]! - partition, 4);
  }
  decoder.dispose();
});

it('finds the best of the tokens that each row is left with, and their share of what is left', async () => {
  const decoder = await decoderOf([sequence(5, 3), sequence(4, 8)], 1);
  await decoder.advance(Int32Array.of(2, 2), Int32Array.of(0, 0));
  const logits = await decoder.logits();
  const all = await decoder.candidates(2);
  const banned = [[all.ids[0]!, all.ids[1]!, 7], []];
  const { ids, logProbs } = await decoder.candidates(3, banned);
  for (const [row, bans] of banned.entries()) {
    const scores = Array.from(logits.subarray(row * 50, (row + 1) * 50), (logit, id) =>
      bans.includes(id) ? -Infinity : logit,
    );
    const partition = Math.log(scores.reduce((total, logit) => total + Math.exp(logit), 0));
    const order = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!).slice(0, 3);
    expect([...ids.subarray(3 * row, 3 * row + 3)]).toEqual(order);
    for (const [i, id] of order.entries()) expect(logProbs[3 * row + i]!).toBeCloseTo(scores[id]! - partition, 4);
  }
  decoder.dispose();
});

it('memory of an earlier batch leaves no trace in the next', async () => {
  const decode = async () => {
    const decoder = await decoderOf([sequence(6, 9)], 2);
    for (let position = 0; position < 40; position++) {
      await decoder.advance(Int32Array.of(4 + position, 9), Int32Array.of(0, 1));
    }
    const logits = (await decoder.logits()).slice();
    decoder.dispose();
    return logits;
  };
  expect(await decode()).toEqual(await decode());
});
