import { statSync } from 'node:fs';
import { fail } from '../errors.js';
import { loadByteLevelBpe } from './byte-level-bpe.js';
import type { Tokenizer } from './tokenizer.js';

/** config.json's `model_type` → the family of its tokenizer. */
const LOADERS: Readonly<Record<string, (directory: string) => Tokenizer>> = {
  bart: loadByteLevelBpe,
};

/** The tokenizer in a folder that Hugging Face's libraries, or {@link Tokenizer.files}, made. */
export function loadTokenizer(directory: string, modelType: string): Tokenizer {
  const load = Object.hasOwn(LOADERS, modelType) ? LOADERS[modelType] : undefined;
  if (!load)
    fail('tokenizer', `there is none for model type "${modelType}". Known types: ${Object.keys(LOADERS).join(', ')}.`);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    fail('tokenizer', `${directory} is not a directory. Give the folder that holds the tokenizer's files.`);
  }
  return load(directory);
}
