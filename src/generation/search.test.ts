import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HashDecoder, type HashModel } from '../../tests/fixtures/search/hash-model.js';
import { rowsPerItem } from './item-search.js';
import { type GenerationArgs, type GenerationOptions, resolveGenerationOptions } from './options.js';
import type { Sequence } from './row-group.js';
import { search } from './search.js';
import type { StepDecoder } from './step-decoder.js';

interface SearchCase {
  model: HashModel;
  batch: number;
  settings: Record<string, unknown>;
  prefix?: number[];
  answers: { ids: number[]; score: number | null; finished: boolean; tokenScores?: number[] }[][];
}

interface BeamSamplingCase {
  model: HashModel;
  settings: Record<string, unknown>;
  draws: number;
  /** By the answers, `ids ids`. */
  counts: Record<string, number>;
}

interface ProcessorCase {
  settings: Record<string, unknown>;
  scores: number[][];
  probabilities: number[][];
}

function fixture<T>(name: string): T[] {
  return JSON.parse(readFileSync(new URL(`../../tests/fixtures/search/${name}.json`, import.meta.url), 'utf8'));
}

const special = { bos_token_id: 0, pad_token_id: 1, eos_token_id: 2, decoder_start_token_id: 2 };
const model: HashModel = { seed: 5, vocab: 24, scale: 4, popular: 1, eos: [2], eosBias: 2 };

function optionsOf(args: GenerationArgs, settings: Record<string, unknown> = {}): GenerationOptions {
  return resolveGenerationOptions(args, { ...special, ...settings }, {});
}

function decoderOf(items: readonly number[], options: GenerationOptions, of = model): HashDecoder {
  return new HashDecoder(of, items, rowsPerItem(options));
}

function readable(answers: Sequence[][]) {
  return answers.map((item) => item.map(({ ids, finished }) => ({ ids: [...ids], finished })));
}

describe('search against the reference', () => {
  it.each(
    fixture<SearchCase>('searches').map((one) => [`${JSON.stringify(one.settings)} ${one.prefix ?? ''}`, one] as const),
  )('%s', async (_, one) => {
    const options = optionsOf({ prefixIds: one.prefix }, one.settings);
    const decoder = decoderOf([...Array(one.batch).keys()], options, one.model);
    const answers = await search(decoder, one.batch, options);
    expect(readable(answers)).toEqual(one.answers.map((item) => item.map(({ ids, finished }) => ({ ids, finished }))));
    answers.flat().forEach(({ score }, index) => {
      const expected = one.answers.flat()[index]!.score;
      if (expected === null) expect(score).toBeUndefined();
      else expect(Math.abs(score! - expected)).toBeLessThan(2e-6 * Math.max(1, Math.abs(expected)));
    });
    if (one.answers.flat().some(({ tokenScores }) => tokenScores === undefined)) return;
    const scored = await search(decoderOf([...Array(one.batch).keys()], options, one.model), one.batch, options, {
      tokenScores: true,
    });
    expect(readable(scored)).toEqual(readable(answers));
    scored.flat().forEach(({ tokenScores }, index) => {
      const expected = one.answers.flat()[index]!.tokenScores!;
      expect(tokenScores.length).toBe(expected.length + options.prefixIds.length);
      for (const [i, each] of expected.entries()) {
        const ours = tokenScores[i + options.prefixIds.length]!;
        expect(Math.abs(ours - each)).toBeLessThan(4e-6 * Math.max(1, Math.abs(each)));
      }
    });
  });
});

/** Every way to search, with whatever may come on top. */
const anyArgs: fc.Arbitrary<GenerationArgs> = fc.record({
  numBeams: fc.constantFrom(1, 2, 4),
  doSample: fc.boolean(),
  maxLength: fc.integer({ min: 3, max: 12 }),
  minLength: fc.constantFrom(0, 0, 3),
  noRepeatNgramSize: fc.constantFrom(0, 0, 2),
  repetitionPenalty: fc.constantFrom(1, 1, 1.3),
  topK: fc.constantFrom(0, 1, 8),
  topP: fc.constantFrom(1, 0.8),
  earlyStopping: fc.constantFrom<boolean | 'never'>(true, false, 'never'),
  seed: fc.nat(),
});

it('answers an item alike whatever batch it is in', async () => {
  await fc.assert(
    fc.asyncProperty(anyArgs, async (args) => {
      const numReturnSequences = args.doSample || args.numBeams! > 1 ? 2 : 1;
      const options = optionsOf({ ...args, numReturnSequences });
      const items = [...Array(64).keys()];
      const together = await search(decoderOf(items, options), 64, options);
      for (const item of [0, 1, 30, 63]) {
        const alone = await search(decoderOf([item], options), 1, options, { itemNumbers: [item] });
        expect(alone[0]).toEqual(together[item]);
      }
    }),
    { numRuns: 25, seed: 1 },
  );
});

it('answers an item alike whether it waits for a slot or not, and tells of its answers when they are known', async () => {
  await fc.assert(
    fc.asyncProperty(anyArgs, fc.integer({ min: 1, max: 5 }), async (args, slots) => {
      const numReturnSequences = args.doSample || args.numBeams! > 1 ? 2 : 1;
      const options = optionsOf({ ...args, numReturnSequences });
      const items = [...Array(20).keys()];
      const together = await search(decoderOf(items, options), 20, options);
      const told = new Map<number, Sequence[]>();
      let most = 0;
      const inTurns = await search(decoderOf(items, options), 20, options, {
        hasRoomFor: (_, count, underWay) => {
          expect(underWay().length).toBe(count);
          most = Math.max(most, count);
          return count < slots;
        },
        onAnswers: (item, answers) => told.set(item, answers),
      });
      expect(inTurns).toEqual(together);
      expect([...told].sort(([a], [b]) => a - b).map(([, answers]) => answers)).toEqual(together);
      expect(most).toBe(slots);
    }),
    { numRuns: 40, seed: 2 },
  );
});

it('tells greedy tokens as they come', async () => {
  const options = optionsOf({ maxLength: 12 });
  const streams = [...Array(9).keys()].map((): number[] => []);
  const answers = await search(decoderOf([...streams.keys()], options), 9, options, {
    hasRoomFor: (_, count) => count < 3,
    onToken: (item, token) => streams[item]!.push(token),
  });
  expect(streams).toEqual(answers.map(([answer]) => [...answer!.ids.subarray(1)]));
});

describe('scores of tokens', () => {
  const settings: GenerationArgs = { maxLength: 9, minLength: 4, badWordsIds: [[5], [7]], forcedBosTokenId: 3 };

  /** log-softmax of the logits behind an answer's tokens, of which `banned` are out. */
  async function expected(ids: Int32Array, banned: (position: number) => readonly number[]): Promise<number[]> {
    const decoder = new HashDecoder(model, [0], 1);
    await decoder.start(0);
    const scores: number[] = [];
    for (const [position, id] of ids.subarray(1).entries()) {
      await decoder.advance(Int32Array.of(ids[position]!), Int32Array.of(0));
      const logits = (await decoder.logits()).map((logit, token) =>
        banned(position).includes(token) ? -Infinity : logit,
      );
      const partition = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
      scores.push(position === 0 ? 0 : logits[id]! - partition);
    }
    return scores;
  }

  it.each<[string, GenerationArgs]>([
    ['greedy search, bans in the graph', {}],
    ['greedy search by all logits', { repetitionPenalty: 1 + 1e-12 }],
    ['sampling', { doSample: true, topK: 0, seed: 3 }],
  ])('%s: among the tokens that are left', async (_, args) => {
    const options = optionsOf({ ...settings, ...args, lengthPenalty: 1 });
    const [[answer]] = (await search(decoderOf([0], options), 1, options, { tokenScores: true })) as [[Sequence]];
    const scores = await expected(answer.ids, (position) => (position < 3 ? [2, 5, 7] : [5, 7]));
    expect(answer.tokenScores.length).toBe(answer.ids.length - 1);
    for (const [i, score] of scores.entries()) expect(answer.tokenScores[i]!).toBeCloseTo(score, 5);
    expect(answer.score!).toBeCloseTo(scores.reduce((a, b) => a + b) / scores.length, 5);
  });

  it('beams: as processors leave them, so that they add up to the score', async () => {
    const options = optionsOf({ ...settings, numBeams: 3, numReturnSequences: 3, lengthPenalty: 1 });
    const [answers] = await search(decoderOf([0], options), 1, options);
    for (const { ids, score, tokenScores } of answers!) {
      const scores = await expected(ids, () => []);
      for (const [i, each] of scores.entries()) expect(tokenScores[i]!).toBeCloseTo(each, 5);
      expect(score!).toBeCloseTo(scores.reduce((a, b) => a + b) / scores.length, 5);
    }
  });

  it('cost greedy search nothing where they are not asked for', async () => {
    const options = optionsOf(settings);
    const [[answer]] = (await search(decoderOf([0], options), 1, options)) as [[Sequence]];
    expect(answer).toMatchObject({ score: undefined, tokenScores: new Float32Array(0) });
  });
});

describe('sampling', () => {
  const count = 20_000;

  /** One row of logits for all items, so that one step draws from one distribution. */
  function constantDecoder(logits: readonly number[], rows: number): StepDecoder {
    return {
      vocabSize: logits.length,
      start: async () => {},
      drop: () => {},
      advance: async () => {},
      candidates: () => Promise.reject(new Error('sampling wants all logits')),
      logits: async () => Float32Array.from({ length: rows * logits.length }, (_, at) => logits[at % logits.length]!),
    };
  }

  const warped = fixture<ProcessorCase>('processors').filter(
    ({ settings }) => settings.do_sample && settings.num_beams === undefined && !('min_length' in settings),
  );

  it.each(warped.map((one) => [JSON.stringify(one.settings), one] as const))(
    '%s has the probabilities',
    async (_, one) => {
      const options = optionsOf({ maxLength: 2, seed: 11, numReturnSequences: count }, one.settings);
      const [drawn] = await search(constantDecoder(one.scores[0]!, count), 1, options);
      const counts = one.probabilities[0]!.map(() => 0);
      for (const { ids } of drawn!) counts[ids[1]!]!++;

      const possible = one.probabilities[0]!.filter((p) => p > 0).length;
      const statistic = one.probabilities[0]!.reduce((sum, p, id) => {
        if (p === 0) return counts[id] === 0 ? sum : Infinity;
        return sum + (counts[id]! - count * p) ** 2 / (count * p);
      }, 0);
      // The mean of chi-square is its degrees of freedom, its variance twice as much: 4 deviations above.
      expect(statistic).toBeLessThanOrEqual(possible - 1 + 4 * Math.sqrt(2 * (possible - 1)));
    },
  );

  it.each(fixture<BeamSamplingCase>('beam-sampling').map((one) => [JSON.stringify(one.settings), one] as const))(
    '%s has the distribution of the reference',
    async (_, { model, settings, draws, counts }) => {
      const options = optionsOf({ seed: 9 }, settings);
      const drawn = await search(decoderOf(Array(draws).fill(0), options, model), draws, options, {
        hasRoomFor: (_, count) => count < 200,
      });
      const ours = new Map<string, number>();
      for (const answers of drawn) {
        const name = answers.map(({ ids }) => ids.join()).join(' ');
        ours.set(name, (ours.get(name) ?? 0) + 1);
      }
      // Two samples, rare answers pooled: the sum of (a - b)² / (a + b) over the classes is chi-square.
      const classes = new Map<string, [number, number]>();
      for (const name of new Set([...ours.keys(), ...Object.keys(counts)])) {
        const [a, b] = [ours.get(name) ?? 0, counts[name] ?? 0];
        const key = a + b < 20 ? 'rare' : name;
        const [sumA, sumB] = classes.get(key) ?? [0, 0];
        classes.set(key, [sumA + a, sumB + b]);
      }
      const statistic = [...classes.values()].reduce((sum, [a, b]) => sum + (a - b) ** 2 / (a + b), 0);
      expect(statistic).toBeLessThan(classes.size - 1 + 4 * Math.sqrt(2 * (classes.size - 1)));
    },
  );

  it('repeats with its seed and differs without', async () => {
    const run = (seed: number | null, numBeams: number) => {
      const options = optionsOf({ doSample: true, seed, numBeams, numReturnSequences: 2, maxLength: 12 });
      return search(decoderOf([0, 1, 2], options), 3, options).then(readable);
    };
    for (const numBeams of [1, 3]) {
      expect(await run(4, numBeams)).toEqual(await run(4, numBeams));
      expect(await run(4, numBeams)).not.toEqual(await run(5, numBeams));
      expect(await run(null, numBeams)).not.toEqual(await run(null, numBeams));
    }
  });

  it('draws the first sequences alike however many are wanted', async () => {
    const run = (numReturnSequences: number) => {
      const options = optionsOf({ doSample: true, seed: 4, numReturnSequences, maxLength: 12 });
      return search(decoderOf([7], options), 1, options).then(readable);
    };
    const [five] = await run(5);
    expect(await run(2)).toEqual([five!.slice(0, 2)]);
    expect(new Set(five!.map(({ ids }) => ids.join())).size).toBeGreaterThan(1);
  });

  it('with a nucleus of one token is greedy search', async () => {
    const items = [0, 1, 2];
    const greedy = optionsOf({ maxLength: 12 });
    const narrow = optionsOf({ maxLength: 12, doSample: true, topP: 1e-9 });
    expect(await search(decoderOf(items, narrow), 3, narrow)).toEqual(
      await search(decoderOf(items, greedy), 3, greedy),
    );
  });
});

describe('what is asked of the decoder', () => {
  async function callsOf(args: GenerationArgs) {
    const options = optionsOf({ maxLength: 5, eosTokenId: 2, ...args });
    const decoder = decoderOf([0, 1, 2], options, { ...model, eosBias: -9 });
    await search(decoder, 3, options);
    return decoder.calls;
  }

  it.each<[string, GenerationArgs, { candidates: number[]; logits: number }]>([
    ['greedy: one candidate', {}, { candidates: [1, 1, 1, 1], logits: 0 }],
    ['4 beams: 8', { numBeams: 4 }, { candidates: [8, 8, 8, 8], logits: 0 }],
    ['2 ends: 3 a beam', { numBeams: 4, eosTokenId: [2, 3] }, { candidates: [12, 12, 12, 12], logits: 0 }],
    ['a banned end: one to spare', { numBeams: 2, minLength: 3 }, { candidates: [5, 5, 4, 4], logits: 0 }],
    ['forced tokens: nothing', { forcedBosTokenId: 0, forcedEosTokenId: 2 }, { candidates: [1, 1], logits: 0 }],
    [
      'more bans than tokens: logits',
      { numBeams: 4, badWordsIds: [...Array(20).keys()].map((id) => [id]) },
      { candidates: [], logits: 4 },
    ],
    [
      'bans before normalising: none to spare',
      { numBeams: 2, minLength: 3, badWordsIds: [[5]], renormalizeLogits: true },
      { candidates: [4, 4, 4, 4], logits: 0 },
    ],
    ['a repetition penalty: logits', { repetitionPenalty: 1.2 }, { candidates: [], logits: 4 }],
    ['sampling: logits', { doSample: true, badWordsIds: [[2]] }, { candidates: [], logits: 4 }],
  ])('%s', async (_, args, calls) => {
    expect(await callsOf(args)).toMatchObject({ advance: 4, ...calls });
  });

  it('nothing for no items, and no more than a step when all end at once', async () => {
    const options = optionsOf({ numBeams: 2, earlyStopping: true });
    expect(await search(decoderOf([], options), 0, options)).toEqual([]);
    const eager = optionsOf({ maxLength: 12 });
    const decoder = decoderOf([0, 1], eager, { ...model, eosBias: 99 });
    expect(readable(await search(decoder, 2, eager))).toEqual(Array(2).fill([{ ids: [2, 2], finished: true }]));
    expect(decoder.calls.advance).toBe(1);
  });
});

it('tells an answer that ended from one that was cut, also by a forced end', async () => {
  const run = async (args: GenerationArgs, eosBias: number) => {
    const options = optionsOf({ maxLength: 6, ...args });
    const [[answer]] = (await search(decoderOf([0], options, { ...model, eosBias }), 1, options)) as [[Sequence]];
    return [answer.ids.length, answer.ids.at(-1) === 2, answer.finished];
  };
  for (const numBeams of [1, 3]) {
    expect(await run({ numBeams }, -9)).toEqual([6, false, false]);
    expect(await run({ numBeams, forcedEosTokenId: 2 }, -9)).toEqual([6, true, false]);
    expect(await run({ numBeams, forcedEosTokenId: 2 }, 20)).toEqual([2, true, true]);
  }
});

describe('an end before the end', () => {
  it('comes between two steps, with the reason of the signal', async () => {
    const controller = new AbortController();
    const options = optionsOf({ maxLength: 12, eosTokenId: null });
    const decoder = decoderOf([0], options);
    const advance = decoder.advance.bind(decoder);
    decoder.advance = (tokens, parents) => {
      if (decoder.calls.advance === 2) controller.abort(new Error('enough'));
      return advance(tokens, parents);
    };
    await expect(search(decoder, 1, options, { signal: controller.signal })).rejects.toThrow('enough');
    expect(decoder.calls.advance).toBe(3);
    await expect(search(decoder, 1, options, { signal: AbortSignal.abort() })).rejects.toThrow('abort');
    expect(decoder.calls.advance).toBe(3);
  });

  it.each<GenerationArgs>([{}, { numBeams: 3 }, { doSample: true }, { numBeams: 3, repetitionPenalty: 2 }])(
    'comes with scores that are no numbers: %j',
    async (args) => {
      const options = optionsOf({ maxLength: 5, ...args });
      const broken = { ...model, scale: Number.NaN };
      await expect(search(decoderOf([0, 1], options, broken), 2, options)).rejects.toThrow(
        "generation: the model's scores for token 1 of row 0 hold NaN",
      );
    },
  );

  it('comes where every token is banned', async () => {
    const badWordsIds = [...Array(24).keys()].map((id) => [id]);
    const options = optionsOf({ doSample: true, badWordsIds, eosTokenId: null });
    await expect(search(decoderOf([0], options), 1, options)).rejects.toThrow(
      'generation: no token may follow 1 tokens of row 0: all 24 are banned',
    );
  });

  it('comes with ids outside the vocabulary, or items that have no number', async () => {
    const options = optionsOf({ forcedBosTokenId: 30 });
    await expect(search(decoderOf([0], options), 1, options)).rejects.toThrow('forcedBosTokenId has token 30');
    const plain = optionsOf({});
    await expect(search(decoderOf([0, 1], plain), 2, plain, { itemNumbers: [0] })).rejects.toThrow(
      'generation: 1 item numbers came with 2 batch items',
    );
  });
});
