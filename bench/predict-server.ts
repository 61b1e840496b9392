import { GenerationPrograms, generate, resolveGenerationOptions } from '../src/generation/index.js';
import { quantizeWeights } from '../src/models/index.js';
import { type PredictRound, readBenchModel, readSources } from './bench-model.js';
import { serve } from './contest.js';

// Our prediction as a server of timed rounds; the same work as bench/python/hf_predict.py.

interface Settings {
  readonly directory: string;
  readonly threads: number;
  readonly bits?: 4 | 8;
}

const { directory, threads, bits } = JSON.parse(process.argv[2] ?? '{}') as Settings;
const { architecture, weights: whole, config, generationConfig } = readBenchModel(directory);
const weights = bits === undefined ? whole : quantizeWeights(architecture, whole, bits);
const sources = readSources(directory);
const programs = new GenerationPrograms(architecture, weights, threads);

await serve(async ({ count, batch, beams, new_tokens: most, ends }: PredictRound) => {
  const options = resolveGenerationOptions(
    {
      numBeams: beams,
      maxNewTokens: most,
      minNewTokens: ends ? 0 : most,
      lengthPenalty: 1,
      earlyStopping: false,
      forcedEosTokenId: null,
    },
    generationConfig,
    config,
    architecture.generationDefaults,
  );
  const start = performance.now();
  const found = await generate(programs, sources.slice(0, count), options, { batchSize: batch });
  const seconds = (performance.now() - start) / 1000;
  return { seconds, answers: found.map(([best]) => [...best!.ids.subarray(1)]) };
});
process.exit(0);
