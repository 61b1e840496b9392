import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { LogitsProcessor } from './logits-processor.js';
import { type GenerationArgs, type GenerationOptions, resolveGenerationOptions } from './options.js';
import { activeProcessors, applyProcessors, bannedTokens, forcedTokens, processors } from './processors.js';

interface ProcessorCase {
  settings: Record<string, unknown>;
  inputIds: number[][];
  scores: number[][];
  /** null: -Infinity. */
  processed: (number | null)[][];
}

const cases: ProcessorCase[] = JSON.parse(
  readFileSync(new URL('../../tests/fixtures/search/processors.json', import.meta.url), 'utf8'),
);

const special = { bos_token_id: 0, pad_token_id: 1, eos_token_id: 2, decoder_start_token_id: 2 };

function optionsOf(settings: Record<string, unknown>): GenerationOptions {
  return resolveGenerationOptions({}, { ...special, ...settings }, {});
}

describe('processors against the reference', () => {
  it.each(cases.map((one) => [JSON.stringify(one.settings), one] as const))('%s', (_, one) => {
    const options = optionsOf(one.settings);
    const active = activeProcessors(options);
    one.inputIds.forEach((ids, row) => {
      const scores = Float32Array.from(one.scores[row]!);
      applyProcessors(active, scores, { options, tokens: Int32Array.from(ids) });
      const processed = [...scores].map((score) => (score === -Infinity ? null : score));
      // PyTorch's log-softmax is rounded differently.
      const tolerance = options.renormalizeLogits ? 2e-6 : 0;
      const near = one.processed[row]!.map((wanted, id) => {
        const score = processed[id]!;
        return wanted !== null && score !== null && Math.abs(score - wanted) <= tolerance ? wanted : score;
      });
      expect(near).toEqual(one.processed[row]);
    });
  });

  it('covers each of them', () => {
    const met = new Set(cases.flatMap(({ settings }) => activeProcessors(optionsOf(settings))));
    const others = Object.entries(processors).filter(([, processor]) => !met.has(processor));
    // These two have tests of their own, here and in search.test.ts.
    expect(others.map(([name]) => name)).toEqual(['prefixIds', 'logitsProcessor']);
  });
});

it('keeps every token that equals the last of the top k', () => {
  const options = optionsOf({ do_sample: true, top_k: 2 });
  const scores = Float32Array.from([1, 3, 1, 0, 1]);
  processors.topK.rescales(scores, { options, tokens: Int32Array.of(2) });
  expect([...scores]).toEqual([1, 3, 1, -Infinity, 1]);
});

it('finds a nucleus that is wider than its first look', () => {
  const options = optionsOf({ do_sample: true, top_k: 0, top_p: 0.5 });
  const scores = new Float32Array(1000);
  processors.topP.rescales(scores, { options, tokens: Int32Array.of(2) });
  expect([...scores].filter((score) => score === 0).length).toBe(500);
});

it('bans nothing by n-grams or words that do not fit yet', () => {
  const options = optionsOf({ no_repeat_ngram_size: 3, bad_words_ids: [[2, 7], [4]] });
  expect(bannedTokens(activeProcessors(options), { options, tokens: Int32Array.of(2) })).toEqual([4]);
});

it('lets the forced end win over the forced start where both fall together', () => {
  const options = optionsOf({ max_length: 2, forced_bos_token_id: 5, forced_eos_token_id: [7, 2] });
  expect(forcedTokens(activeProcessors(options), { options, tokens: Int32Array.of(2) })).toEqual([2, 7]);
});

describe("a caller's own rule", () => {
  const run = (logitsProcessor: LogitsProcessor, args: GenerationArgs = {}) => {
    const options = resolveGenerationOptions({ logitsProcessor, ...args }, special, {});
    const scores = Float32Array.of(1, 2, 3, 4);
    applyProcessors(activeProcessors(options), scores, { options, tokens: Int32Array.of(2, 3) });
    return [...scores];
  };

  it('changes scores by the tokens so far, before those of sampling', () => {
    expect(run((tokens, scores) => (scores[tokens[1]!] = -Infinity))).toEqual([1, 2, 3, -Infinity]);
    const halve: LogitsProcessor = (_, scores) => scores.set(scores.map((score) => score / 2));
    expect(run(halve, { doSample: true, temperature: 0.5, topK: 1 })).toEqual([-Infinity, -Infinity, -Infinity, 4]);
  });

  it('is left alone while a prefix is given', () => {
    expect(run(() => expect.unreachable(), { prefixIds: [3, 1], maxLength: 9 })).toEqual([
      -Infinity,
      0,
      -Infinity,
      -Infinity,
    ]);
  });

  it('that fails, or writes no scores, is an error', () => {
    expect(() =>
      run(() => {
        throw new Error('no more');
      }),
    ).toThrow('generation: logitsProcessor failed behind 2 tokens: no more');
    expect(() => run((_, scores) => scores.fill(-Infinity))).toThrow(
      'ruled out every token behind 2. Leave at least one',
    );
    expect(() => run((_, scores) => scores.fill(Number.NaN, 1))).toThrow(
      'generation: logitsProcessor made the score of token 1 NaN. Write numbers, or -Infinity to rule a token out.',
    );
  });
});
