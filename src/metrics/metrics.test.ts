import { readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtInMetrics, computeMetric, type MetricName, metricSignatures, resolveMetrics } from './index.js';

// What sacrebleu, rouge_score and jiwer say; see scripts/reference/metrics.py.

interface Reference {
  signatures: Record<string, string>;
  sets: Record<string, { pairs: [string, string][]; scores: Partial<Record<MetricName, number>> }>;
}
const reference: Reference = JSON.parse(
  readFileSync(path.join(import.meta.dirname, '../../tests/fixtures/metrics.json'), 'utf8'),
);

describe.each(Object.entries(reference.sets))('texts %s', (_, { pairs, scores }) => {
  const truths = pairs.map(([truth]) => truth);
  const predictions = pairs.map(([, prediction]) => prediction);

  it.each(Object.entries(scores))('have the %s of the reference', (name, score) => {
    expect(builtInMetrics[name as MetricName](truths, predictions)).toBeCloseTo(score, 10);
  });
});

it('gives the signatures of sacrebleu', () => {
  expect(metricSignatures).toEqual(reference.signatures);
});

const better: Record<MetricName, number> = {
  ...{ bleu: 100, chrf: 100, rouge1: 1, rouge2: 1, rougeL: 1, rougeLsum: 1, exactMatch: 1 },
  ...{ wer: 0, cer: 0, per: 0 },
};

it.each(Object.entries(better))('%s is best when every text is the true one', (name, best) => {
  const text = fc.stringMatching(/^[a-z]{1,5}( [a-z]{1,5}){4,8}$/);
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), (texts) => {
      expect(builtInMetrics[name as MetricName](texts, texts)).toBeCloseTo(best, 9);
    }),
    { seed: 1, numRuns: 30 },
  );
});

it.each(Object.keys(builtInMetrics))('%s is a number for any texts, none among them', (name) => {
  const pair = fc.tuple(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }));
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 4 }), (pairs) => {
      const truths = pairs.map(([truth]) => truth);
      const score = builtInMetrics[name as MetricName](
        truths,
        pairs.map(([, prediction]) => prediction),
      );
      expect(Number.isFinite(score) && score >= 0).toBe(true);
    }),
    { seed: 1, numRuns: 100 },
  );
});

it('counts phonemes and whole texts', () => {
  const truths = ['K AE1 T', 'D AO1 G', ''];
  const predictions = ['K AH0 T', 'D  AO1 G', 'S'];
  expect(builtInMetrics.per(truths, predictions)).toBe(2 / 6);
  expect(builtInMetrics.exactMatch(truths, predictions)).toBe(0);
  expect(builtInMetrics.exactMatch(truths, truths)).toBe(1);
});

describe('metrics that are asked for', () => {
  it('are found by name, in other spellings too', () => {
    expect([...resolveMetrics(['BLEU', 'rouge_l', 'ROUGE-Lsum', 'exact_match']).keys()]).toEqual([
      'bleu',
      'rougeL',
      'rougeLsum',
      'exactMatch',
    ]);
    expect(() => resolveMetrics(['blue'])).toThrow('metrics: there is no metric "blue". Did you mean "bleu"?');
    const notOne = { score: 'high' } as unknown as Record<string, () => number>;
    expect(() => resolveMetrics(notOne)).toThrow('metrics: score is string, not a function');
    for (const wrong of ['bleu', null, 5, undefined]) {
      expect(() => resolveMetrics(wrong as unknown as string[])).toThrow('metrics: they are a list of names');
    }
    expect(() => resolveMetrics({ eval_loss: () => 1 })).toThrow(
      'metrics: "eval_loss" is what an evaluation says anyway',
    );
  });

  it('name the row at which they fail', async () => {
    const failing = async (truths: readonly string[]) => {
      if (truths.includes('c')) throw new Error('no c');
      return 1;
    };
    const compute = (truths: string[]) => computeMetric('mine', failing, truths, ['x', 'y', 'z']);
    await expect(compute(['a', 'b', 'c'])).rejects.toThrow(
      'metrics: mine failed at row 3 (true text "c", prediction "z"): no c. Mend the metric.',
    );
    expect(await compute(['a', 'b', 'd'])).toBe(1);
    await expect(computeMetric('mine', failing, ['a'], [])).rejects.toThrow('1 true texts and 0 predictions');
    const together = (truths: readonly string[]) => (truths.length > 1 ? (undefined as unknown as number) : 1);
    await expect(computeMetric('mine', together, ['a', 'b'], ['a', 'b'])).rejects.toThrow(
      'mine failed on 2 rows together, though on none alone: its result is undefined, not a number',
    );
  });
});

it('takes ten thousand rows in a moment', () => {
  const texts = Array.from({ length: 10_000 }, (_, i) => `row ${i} has some words and the number ${i * 7} in it`);
  const start = performance.now();
  for (const metric of Object.values(builtInMetrics)) metric(texts, [...texts].reverse());
  expect(performance.now() - start).toBeLessThan(20_000);
});
