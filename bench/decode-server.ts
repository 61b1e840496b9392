import { readFileSync } from 'node:fs';
import path from 'node:path';
import { matchWeights, openCheckpoint } from '../src/checkpoints/index.js';
import { GenerationPrograms, generate, resolveGenerationOptions } from '../src/generation/index.js';
import { architectureOf, ModelWeights } from '../src/models/index.js';
import { serve } from './contest.js';

// Our decoding as a server of timed rounds; the same work as bench/python/hf_decode.py.

const { directory, threads } = JSON.parse(process.argv[2] ?? '{}') as { directory: string; threads: number };
const checkpoint = openCheckpoint(path.join(directory, 'hf'));
const architecture = architectureOf(checkpoint.config);
const weights = new ModelWeights(architecture.parameters);
const { matched } = matchWeights(checkpoint.weights, architecture.parameters, {
  architecture: architecture.type,
  basePrefix: architecture.parts[0]?.basePrefix,
});
weights.initialize(0, (name) => !matched.has(name));
for (const [name, weight] of matched) weight.read(weights.array(name));
checkpoint.close();
const sources = (JSON.parse(readFileSync(path.join(directory, 'sources.json'), 'utf8')) as number[][]).map((ids) =>
  Int32Array.from(ids),
);
const programs = new GenerationPrograms(architecture, weights, threads);

await serve(async (round: { batch: number; beams: number; new_tokens: number }) => {
  const options = resolveGenerationOptions(
    {
      numBeams: round.beams,
      maxNewTokens: round.new_tokens,
      minNewTokens: round.new_tokens,
      lengthPenalty: 1,
      earlyStopping: false,
      forcedEosTokenId: null,
    },
    checkpoint.generationConfig ?? {},
    checkpoint.config,
    architecture.generationDefaults,
  );
  const start = performance.now();
  const found = await generate(programs, sources.slice(0, round.batch), options, { batchSize: round.batch });
  const seconds = (performance.now() - start) / 1000;
  return { seconds, answers: found.map(([best]) => [...best!.ids.subarray(1)]) };
});
process.exit(0);
