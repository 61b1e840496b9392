import { readFileSync } from 'node:fs';
import path from 'node:path';
import { matchWeights, openCheckpoint } from '../src/checkpoints/index.js';
import { architectureOf, ModelWeights } from '../src/models/index.js';

/** The model in `directory/hf`, which has no tokenizer, and the sources beside it. */
export function readBenchModel(directory: string) {
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
  return { architecture, weights, config: checkpoint.config, generationConfig: checkpoint.generationConfig ?? {} };
}

export function readSources(directory: string): Int32Array[] {
  const sources = JSON.parse(readFileSync(path.join(directory, 'sources.json'), 'utf8')) as number[][];
  return sources.map((ids) => Int32Array.from(ids));
}

/** What is asked of every contender: see python/hf_predict.py. */
export interface PredictRound {
  readonly count: number;
  readonly batch: number;
  readonly beams: number;
  readonly new_tokens: number;
  readonly ends: boolean;
}
