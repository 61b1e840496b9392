import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fields } from './option-fields.js';
import { type GenerationArgs, resolveGenerationOptions } from './options.js';

interface OptionsCase {
  args: Record<string, unknown>;
  generationConfig: Record<string, unknown>;
  config: Record<string, unknown>;
  expected: Record<string, unknown>;
}

const cases: OptionsCase[] = JSON.parse(
  readFileSync(new URL('../../tests/fixtures/search/options.json', import.meta.url), 'utf8'),
);

const camel = new Map(Object.entries(fields).map(([name, { python }]) => [python, name]));

/** Where the reference says None, or one id, and we say none or a list of one. */
function ours(python: string, value: unknown): unknown {
  if (python === 'top_k') return value ?? 0;
  return python === 'forced_eos_token_id' ? [value ?? []].flat() : value;
}

const file = { bos_token_id: 0, pad_token_id: 1, eos_token_id: 2, decoder_start_token_id: 2 };
/** Those of Transformers' `BartConfig`. */
const bartDefaults = {
  bos_token_id: 0,
  pad_token_id: 1,
  eos_token_id: 2,
  decoder_start_token_id: 2,
  forced_eos_token_id: 2,
};
const config = { model_type: 'bart', vocab_size: 50, max_position_embeddings: 64 };

function resolve(args: GenerationArgs, generationConfig: Record<string, unknown> = file) {
  return resolveGenerationOptions(args, generationConfig, config, bartDefaults);
}

describe('options against the reference', () => {
  it.each(cases.map((one, index) => [index, one] as const))('case %i', (_, one) => {
    const args = Object.fromEntries(Object.entries(one.args).map(([name, value]) => [camel.get(name)!, value]));
    const options: Record<string, unknown> = {
      ...resolveGenerationOptions(args as GenerationArgs, one.generationConfig, one.config, bartDefaults),
    };
    for (const [name, value] of Object.entries(one.expected)) {
      expect(options[camel.get(name)!], name).toEqual(ours(name, value));
    }
  });
});

it('takes special ids from config.json where generation_config.json names no start', () => {
  const options = resolve({}, { num_beams: 3 });
  expect(options).toMatchObject({ numBeams: 3, decoderStartTokenId: 2, eosTokenId: [2], padTokenId: 1 });
  expect(options.forcedEosTokenId).toEqual([]);
});

it("falls back to a composite model's decoder", () => {
  const options = resolveGenerationOptions(
    {},
    {},
    {
      model_type: 'encoder-decoder',
      decoder_start_token_id: 4,
      decoder: { eos_token_id: 5, pad_token_id: 0, vocab_size: 9 },
    },
  );
  expect(options).toMatchObject({ decoderStartTokenId: 4, eosTokenId: [5], padTokenId: 0 });
});

it('ignores what changes no answer', () => {
  expect(
    resolve({}, { ...file, use_cache: false, transformers_version: '4.49.0', typical_p: 1.0, min_p: null }),
  ).toEqual(resolve({}));
});

it('lets the minLength of a checkpoint stand over a short maxLength', () => {
  expect(resolve({ maxLength: 20 }, { ...file, min_length: 56 }).minLength).toBe(56);
});

it('counts a prefix as given: with a forced first token before it, and new tokens behind it', () => {
  const prefixIds = [7, 8];
  expect(resolve({ prefixIds, maxNewTokens: 5, minNewTokens: 2 })).toMatchObject({ maxLength: 8, minLength: 5 });
  expect(resolve({ prefixIds, forcedBosTokenId: 4, maxNewTokens: 5 })).toMatchObject({
    prefixIds: [4, 7, 8],
    maxLength: 9,
  });
  expect(resolve({ prefixIds }).maxLength).toBe(23);
  expect(resolve({ forcedBosTokenId: 4 }).prefixIds).toEqual([]);
});

describe('refusals', () => {
  it.each<[GenerationArgs, Record<string, unknown>, string]>([
    [{ numBeams: 0 }, {}, 'numBeams is 0 in the call, but must be a whole number of at least 1'],
    [{}, { num_beams: 2.5 }, 'num_beams is 2.5 in generation_config.json, but must be a whole number of at least 1'],
    [{ temperature: 0 }, {}, 'temperature is 0'],
    [{ topP: 0 }, {}, 'topP is 0 in the call, but must be a number above 0 and at most 1'],
    [{ topP: 1.5 }, {}, 'topP is 1.5'],
    [{ topK: -1 }, {}, 'topK is -1'],
    [{ repetitionPenalty: 0 }, {}, 'repetitionPenalty is 0'],
    [{ lengthPenalty: Number.NaN }, {}, 'lengthPenalty is NaN'],
    [{ maxNewTokens: 0 }, {}, 'maxNewTokens is 0'],
    [{}, { early_stopping: 'sometimes' }, `early_stopping is "sometimes"`],
    [{ badWordsIds: [[]] }, {}, 'badWordsIds is [[]]'],
    [{ maxLength: 1 }, {}, 'maxLength is 1, but the start token alone takes 1. Set at least 2.'],
    [{ maxLength: 66 }, {}, 'maxLength is 66, but the model has 64 positions. Set at most 65.'],
    [{ minLength: 12, maxLength: 10 }, {}, 'minLength is 12, but maxLength is 10'],
    [{ numReturnSequences: 4, numBeams: 3 }, {}, 'numReturnSequences is 4, but 3 beams have only 3 to return'],
    [{ numReturnSequences: 4, numBeams: 3, doSample: true }, {}, 'numReturnSequences is 4'],
    [{ numReturnSequences: 2 }, {}, 'numReturnSequences is 2, but greedy search has only 1 to return'],
    [{ forcedBosTokenId: 50 }, {}, 'forcedBosTokenId has token 50, but the vocabulary ends at 49'],
    [{ badWordsIds: [[3], [4, 70]] }, {}, 'badWordsIds has token 70'],
    [{ numBeams: 4, numBeamGroups: 3, diversityPenalty: 1 }, {}, '4 beams cannot be divided into 3 groups'],
    [{ numBeamGroups: 2, diversityPenalty: 1 }, {}, '1 beams cannot be divided into 2 groups'],
    [{ numBeams: 4, numBeamGroups: 2 }, {}, 'all 2 groups would find the same. Set diversityPenalty above 0'],
    [{ numBeams: 4, diversityPenalty: 1 }, {}, 'diversityPenalty is 1, but there is one group'],
    [{ numBeams: 4, numBeamGroups: 2, diversityPenalty: 1, doSample: true }, {}, 'groups of beams cannot be sampled'],
    [{ prefixIds: [3, 4], maxLength: 3 }, {}, 'start token and prefix take 3. Set at least 4'],
    [{ prefixIds: [3, 2] }, {}, 'the prefix has the end token 2'],
    [{ prefixIds: [50] }, {}, 'prefixIds has token 50'],
    [{ minP: 1.5 }, {}, 'minP is 1.5 in the call, but must be a number from 0 to 1'],
    [{ typicalP: 0 }, {}, 'typicalP is 0'],
    [{ epsilonCutoff: 1 }, {}, 'epsilonCutoff is 1'],
    [{ logitsProcessor: 'x' as unknown as null }, {}, 'logitsProcessor is "x" in the call, but must be a function'],
    [{}, { encoder_repetition_penalty: 2 }, 'encoder_repetition_penalty to 2, which this search does not have'],
    [{}, { penalty_alpha: 0.6 }, 'penalty_alpha to 0.6'],
    [{}, { nun_beams: 4 }, 'Did you mean num_beams?'],
  ])('%j %j', (args, settings, message) => {
    expect(() => resolve(args, { ...file, ...settings })).toThrow(`generation: `);
    expect(() => resolve(args, { ...file, ...settings })).toThrow(message);
  });

  it('a checkpoint without any start', () => {
    expect(() => resolveGenerationOptions({}, {}, { model_type: 'encoder-decoder' })).toThrow(
      'names no decoder_start_token_id and no bos_token_id',
    );
  });

  it('lets as many sequences be drawn as are wanted', () => {
    expect(resolve({ numReturnSequences: 9, doSample: true }).numReturnSequences).toBe(9);
  });
});
