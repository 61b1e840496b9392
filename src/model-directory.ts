import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fromPythonJson, type Seq2SeqArgs, type Seq2SeqArgsInput, toPythonJson } from './args/index.js';
import { checkFinite, matchWeights, openCheckpoint, saveCheckpoint } from './checkpoints/index.js';
import type { Tokenizers } from './data/index.js';
import { fail } from './errors.js';
import { architectureOf, type JsonObject, ModelWeights, type Seq2SeqArchitecture } from './models/index.js';
import { loadTokenizer } from './tokenizers/index.js';

/** A model in memory with everything that belongs to it: what a directory holds. */
export interface ModelParts {
  readonly architecture: Seq2SeqArchitecture;
  readonly weights: ModelWeights;
  readonly tokenizers: Tokenizers;
  /** config.json with the caller's changes. */
  readonly config: JsonObject;
  /** generation_config.json, where the checkpoint has one. */
  readonly generationConfig: JsonObject | undefined;
}

export interface LoadedModel extends ModelParts {
  /** The options saved with the model, to be layered under the caller's. */
  readonly args: Seq2SeqArgsInput;
  /** What a user should know about the checkpoint, a line each. */
  readonly warnings: readonly string[];
}

const ARGS_FILE = 'model_args.json';

/** Reads a directory in Hugging Face's layout, or one that {@link saveModelDirectory} wrote. */
export function loadModelDirectory(directory: string, type: string, changes: JsonObject): LoadedModel {
  const checkpoint = openCheckpoint(directory);
  try {
    const config = { ...checkpoint.config, ...changes };
    const architecture = architectureOf(config, type, directory);
    const { matched, unexpected } = matchWeights(checkpoint.weights, architecture.parameters, {
      architecture: architecture.type,
      basePrefix: architecture.parts[0]?.basePrefix,
    });
    const weights = new ModelWeights(architecture.parameters);
    weights.initialize(0, (name) => !matched.has(name));
    for (const [name, weight] of matched) {
      const array = weights.array(name);
      weight.read(array);
      if (!weights.isFinite(name)) checkFinite(name, array);
    }
    const tokenizer = loadTokenizer(directory, type);
    const tokenizers = { source: tokenizer, target: tokenizer };
    checkVocabulary(tokenizers, architecture);
    const saved = readArgs(path.join(directory, ARGS_FILE));
    const warnings = [...saved.warnings];
    if (unexpected.length > 0) {
      const named = `${unexpected.slice(0, 5).join(', ')}${unexpected.length > 5 ? ', …' : ''}`;
      warnings.push(
        `checkpoint: ${unexpected.length} weights have no place in a ${architecture.type} and are left out: ${named}.`,
      );
    }
    const { generationConfig } = checkpoint;
    return { architecture, weights, tokenizers, config, generationConfig, args: saved.args, warnings };
  } finally {
    checkpoint.close();
  }
}

/** A model that starts from its configuration alone, with weights drawn as the architecture initialises them. */
export function createFreshModel(config: JsonObject, type: string, tokenizers: Tokenizers, seed: number): ModelParts {
  const full = { model_type: type, ...config };
  const architecture = architectureOf(full, type, 'the config');
  checkVocabulary(tokenizers, architecture);
  const weights = new ModelWeights(architecture.parameters);
  weights.initialize(seed);
  return {
    architecture,
    weights,
    tokenizers,
    config: { ...architecture.generationDefaults, ...full },
    generationConfig: undefined,
  };
}

/** Writes a directory that Transformers, Simple Transformers and {@link loadModelDirectory} load. */
export async function saveModelDirectory(directory: string, parts: ModelParts, args: Seq2SeqArgs): Promise<void> {
  const { architecture, weights, tokenizers, config, generationConfig } = parts;
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  const files = new Map(tokenizers.source.files());
  files.set(
    'config.json',
    json({ ...config, architectures: [architecture.parts[0]!.className], torch_dtype: 'float32' }),
  );
  if (generationConfig) files.set('generation_config.json', json(generationConfig));
  files.set(ARGS_FILE, json(toPythonJson(args)));
  const arrays = [...weights.specs.values()].flatMap(({ name, shape, copies = [] }) =>
    [name, ...copies].map((each) => ({ name: each, shape, data: weights.array(name) })),
  );
  await saveCheckpoint(directory, { files, weights: new Map([['model.safetensors', arrays]]) });
}

function checkVocabulary({ source, target }: Tokenizers, architecture: Seq2SeqArchitecture): void {
  const sizes = [
    ['encoder', source.vocabSize, architecture.sourceVocabSize],
    ['decoder', target.vocabSize, architecture.vocabSize],
  ] as const;
  for (const [side, tokens, embeddings] of sizes) {
    if (tokens <= embeddings) continue;
    fail(
      'tokenizer',
      `the ${side}'s has ${tokens} tokens, but the model has embeddings for ${embeddings}. ` +
        'Use the tokenizer the model was trained with, or set vocab_size in the config of a fresh model.',
    );
  }
}

function readArgs(file: string): ReturnType<typeof fromPythonJson> {
  if (!existsSync(file)) return { args: {}, warnings: [] };
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    fail(ARGS_FILE, `${file} is not valid JSON: ${(error as Error).message}. Restore the file, or remove it.`, error);
  }
  return fromPythonJson(json);
}
