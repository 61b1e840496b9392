import { describe, expect, it } from 'vitest';
import { Random } from '../data/index.js';
import type { ParameterSpec } from './builder.js';
import { resizeWeights } from './resize.js';
import { fillNormal, ModelWeights } from './weights.js';

const spec = (name: string, ...shape: number[]): ParameterSpec => ({ name, shape, initialization: { kind: 'zeros' } });

function modelOf(specs: readonly ParameterSpec[]): ModelWeights {
  const weights = new ModelWeights(specs);
  const random = new Random(7);
  for (const { name } of specs) {
    const array = weights.array(name);
    fillNormal(array, random, 0.5);
    for (let i = 0; i < array.length; i++) array[i]! += i % 3;
  }
  return weights;
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const column = (array: Float32Array, width: number, k: number) => Array.from(array).filter((_, i) => i % width === k);

describe('more tokens', () => {
  const rows = 40;
  const width = 4;
  const old = [spec('shared.weight', rows, width), spec('fc.weight', 8, width), spec('final_logits_bias', 1, rows)];
  const grown = (total: number) => [spec('shared.weight', total, width), old[1]!, spec('final_logits_bias', 1, total)];

  it('keeps what there was and adds zeros to final_logits_bias', () => {
    const from = modelOf(old);
    const to = resizeWeights(from, grown(43), 1);
    expect(to.array('fc.weight')).toEqual(from.array('fc.weight'));
    expect(to.array('shared.weight').subarray(0, rows * width)).toEqual(from.array('shared.weight'));
    expect(to.array('final_logits_bias')).toEqual(Float32Array.from([...from.array('final_logits_bias'), 0, 0, 0]));
  });

  it('draws rows with the mean and 1e-9 of the covariance of the old ones', () => {
    const from = modelOf(old);
    const added = 20_000;
    const embeddings = from.array('shared.weight');
    const drawn = resizeWeights(from, grown(rows + added), 1)
      .array('shared.weight')
      .subarray(rows * width);
    const before = Array.from({ length: width }, (_, k) => column(embeddings, width, k));
    const after = Array.from({ length: width }, (_, k) => column(drawn, width, k));
    const deviation = (values: readonly number[], mean: number) =>
      Math.sqrt(meanOf(values.map((x) => (x - mean) ** 2)));
    const means = before.map(meanOf);
    const deviations = before.map((values, k) => Math.sqrt(1e-9) * deviation(values, means[k]!));
    for (let a = 0; a < width; a++) {
      // Five standard errors of the mean, and rounding of the numbers it is taken of.
      expect(Math.abs(meanOf(after[a]!) - means[a]!)).toBeLessThan((5 * deviations[a]!) / Math.sqrt(added) + 2 ** -26);
      for (let b = 0; b <= a; b++) {
        const covariance = (columns: number[][], scale: number) =>
          scale * meanOf(columns[a]!.map((x, i) => (x - means[a]!) * (columns[b]![i]! - means[b]!)));
        const tolerance = 0.05 * deviations[a]! * deviations[b]!;
        expect(Math.abs(covariance(after, 1) - covariance(before, 1e-9))).toBeLessThan(tolerance);
      }
    }
  });

  it('adds the mean itself where the covariance has no inverse', () => {
    const from = modelOf([spec('w', 3, width)]);
    const to = resizeWeights(from, [spec('w', 5, width)], 1)
      .array('w')
      .subarray(3 * width);
    const means = Array.from({ length: width }, (_, k) => Math.fround(meanOf(column(from.array('w'), width, k))));
    expect(Array.from(to)).toEqual([...means, ...means]);
  });

  it('one seed draws one addition, another another, and more tokens the same first ones', () => {
    const from = modelOf(old);
    const draw = (seed: number, total: number) => resizeWeights(from, grown(total), seed).array('shared.weight');
    expect(draw(1, 60)).toEqual(draw(1, 60));
    expect(draw(1, 60)).not.toEqual(draw(2, 60));
    expect(draw(1, 60).subarray(0, 44 * width)).toEqual(draw(1, 44));
  });
});

describe('the bias of a head', () => {
  const total = 300;
  const head = [spec('cls.predictions.decoder.weight', 30, 4), spec('cls.predictions.bias', 30)];
  const larger = [spec('cls.predictions.decoder.weight', total, 4), spec('cls.predictions.bias', total)];

  it('is the mean of the others, with 1e-9 of their deviation', () => {
    const from = modelOf(head);
    const bias = from.array('cls.predictions.bias');
    // Around zero the draws, of 1e-9, are not lost in rounding.
    const mean = meanOf([...bias]);
    expect(resizeWeights(from, larger, 1).array('cls.predictions.bias').subarray(30)).toEqual(
      new Float32Array(total - 30).fill(mean),
    );
    for (let i = 0; i < bias.length; i++) bias[i] = i % 2 === 0 ? 1 : -1;
    const added = Array.from(resizeWeights(from, larger, 1).array('cls.predictions.bias').subarray(30));
    const deviation = Math.sqrt(30 / 29) * 1e-9;
    expect(Math.abs(meanOf(added))).toBeLessThan((5 * deviation) / Math.sqrt(added.length));
    expect(Math.abs(Math.sqrt(meanOf(added.map((x) => x * x))) / deviation - 1)).toBeLessThan(0.2);
  });

  it('is zero where its weight is the embedding, as Transformers pads it', () => {
    const tied = [
      spec('bert.embeddings.word_embeddings.weight', 30, 4),
      head[1]!,
      spec('cls.predictions.transform.dense.weight', 4, 4),
    ];
    const to = resizeWeights(
      modelOf(tied),
      [spec('bert.embeddings.word_embeddings.weight', 32, 4), spec('cls.predictions.bias', 32), tied[2]!],
      1,
    );
    expect(Array.from(to.array('cls.predictions.bias').subarray(30))).toEqual([0, 0]);
  });
});

it('fewer tokens: the end is cut off', () => {
  const from = modelOf([spec('w', 6, 2), spec('b', 6), spec('final_logits_bias', 1, 6)]);
  const to = resizeWeights(from, [spec('w', 4, 2), spec('b', 4), spec('final_logits_bias', 1, 4)], 1);
  expect(to.array('w')).toEqual(from.array('w').slice(0, 8));
  expect(to.array('b')).toEqual(from.array('b').slice(0, 4));
  expect(to.array('final_logits_bias')).toEqual(from.array('final_logits_bias').slice(0, 4));
});

it.each<[string, number[], number[]]>([
  ['another width', [6, 2], [6, 3]],
  ['two axes', [6, 2], [7, 3]],
  ['another rank', [6, 2], [6]],
  ['a rank beyond', [6, 2], [6, 2, 1]],
  ['no row of columns', [2, 6], [2, 7]],
  ['three axes', [6, 2, 2], [7, 2, 2]],
])('refuses %s', (_, before, after) => {
  expect(() => resizeWeights(modelOf([spec('w', ...before)]), [spec('w', ...after)], 1)).toThrow(
    `model: w is [${before.join(', ')}] and cannot become [${after.join(', ')}]: only the number of tokens can change.`,
  );
});

it('refuses an array that was not there', () => {
  expect(() => resizeWeights(modelOf([spec('w', 6)]), [spec('v', 6)], 1)).toThrow(
    'model: there is no weight "v" to be',
  );
});
