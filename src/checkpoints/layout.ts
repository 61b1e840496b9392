import fs from 'node:fs';
import path from 'node:path';
import { fail } from '../errors.js';
import { listFiles } from './directory.js';

/** Where weights may lie, best first: safetensors cannot hold code and need no unpickling. */
export const weightsFiles = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
];

/** The folders in which Simple Transformers saves the two models of a generic encoder-decoder. */
export const halves = ['encoder', 'decoder'] as const;

/** `single`: a model in the directory itself; `encoder+decoder`: one in each of the folders of these names. */
export type CheckpointLayout = 'single' | 'encoder+decoder';

/**
 * How a directory holds a model, told from a few names. A complete model in the directory itself counts before folders beside
 * it, so that a save which changes the layout takes effect in one step: when config.json appears or goes.
 */
export function checkpointLayout(directory: string): CheckpointLayout {
  const names = listFiles(directory);
  const missing = halves.filter((half) => !fs.existsSync(path.join(directory, half, 'config.json')));
  const hasWeights = weightsFiles.some((name) => names.includes(name));
  if (names.includes('config.json') && (hasWeights || missing.length > 0)) return 'single';
  if (missing.length === 0) return 'encoder+decoder';
  if (halves.some((half) => fs.existsSync(path.join(directory, half)))) {
    const files = missing.map((half) => `${half}/config.json`).join(' and ');
    fail(
      'checkpoint',
      `${directory} has no ${files}. A model in the folders encoder/ and decoder/ needs both, each with config.json, ` +
        'weights and a tokenizer: copy what is missing.',
    );
  }
  return failWithoutConfig(directory);
}

export function failWithoutConfig(directory: string): never {
  return fail(
    'checkpoint',
    `${directory} has no config.json. Give a directory that holds a model, with config.json and its weights.`,
  );
}

/** Files besides shards that readers, also other ones, make a model of; config.json, without which none starts, first. */
const modelFiles = new Set([
  'config.json',
  ...weightsFiles,
  'tf_model.h5',
  'flax_model.msgpack',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'vocab.txt',
  'merges.txt',
  'sentencepiece.bpe.model',
  'source.spm',
  'target.spm',
  'target_vocab.json',
  'source.bpe',
  'target.bpe',
]);
const shard = /^(model|pytorch_model)-\d+-of-\d+\.(safetensors|bin)$/;

/**
 * What is left in a directory of models it held before, whatever their layout, once the files `written` are there: with these
 * removed, as with a new directory, every reader finds the new model. Those that make a model loadable come first. A folder
 * that held no model and gets none keeps its files, whatever they are named.
 */
export function staleFiles(directory: string, written: ReadonlySet<string>): string[] {
  return ['', ...halves]
    .flatMap((folder) => {
      const place = path.join(directory, folder);
      const names = fs.existsSync(place) && fs.statSync(place).isDirectory() ? listFiles(place) : [];
      const inFolder = (name: string) => path.posix.join(folder, name);
      const heldModel = names.includes('config.json') && weightsFiles.some((name) => names.includes(name));
      if (!heldModel && !written.has(inFolder('config.json'))) return [];
      return names.filter((name) => modelFiles.has(name) || shard.test(name)).map(inFolder);
    })
    .filter((name) => !written.has(name))
    .sort((a, b) => Number(isConfig(b)) - Number(isConfig(a)));
}

export function isConfig(name: string): boolean {
  return path.posix.basename(name) === 'config.json';
}
