import { statSync } from 'node:fs';
import { fail } from '../errors.js';
import { loadByteLevelBpe } from './byte-level-bpe.js';
import { loadCamembert } from './camembert.js';
import { loadMarian } from './marian.js';
import { loadMBart } from './mbart.js';
import { directorySource, type TokenizerLoadOptions, type TokenizerSource } from './source.js';
import type { Tokenizer } from './tokenizer.js';
import { loadWordPiece } from './wordpiece.js';

/** A family's tokenizer from its files. */
export type TokenizerLoader = (files: TokenizerSource, options: TokenizerLoadOptions) => Tokenizer;

/** config.json's `model_type` → the family of its tokenizer. */
const LOADERS: Readonly<Record<string, TokenizerLoader>> = {
  bart: cased((files) => loadByteLevelBpe(files, 'bart')),
  roberta: cased((files) => loadByteLevelBpe(files, 'roberta')),
  bert: (files, options) => loadWordPiece(files, options, 'bert'),
  distilbert: (files, options) => loadWordPiece(files, options, 'distilbert'),
  electra: (files, options) => loadWordPiece(files, options, 'electra'),
  mbart: cased((files) => loadMBart(files, 'mbart')),
  mbart50: cased((files) => loadMBart(files, 'mbart50')),
  camembert: cased(loadCamembert),
  marian: cased((files) => loadMarian(files)),
};

export const tokenizerFamilies: readonly string[] = Object.keys(LOADERS);

/** The tokenizer in a folder, or a source of files, that Hugging Face's libraries, or {@link Tokenizer.files}, made. */
export function loadTokenizer(
  source: string | TokenizerSource,
  modelType: string,
  options: TokenizerLoadOptions = {},
): Tokenizer {
  const load = Object.hasOwn(LOADERS, modelType) ? LOADERS[modelType] : undefined;
  if (!load)
    fail('tokenizer', `there is none for model type "${modelType}". Known types: ${tokenizerFamilies.join(', ')}.`);
  if (typeof source !== 'string') return load(source, options);
  if (!statSync(source, { throwIfNoEntry: false })?.isDirectory()) {
    fail('tokenizer', `${source} is not a directory. Give the folder that holds the tokenizer's files.`);
  }
  return load(directorySource(source), options);
}

/** For a family whose tokenizers take the case of a text as it is. */
function cased(load: (files: TokenizerSource) => Tokenizer): TokenizerLoader {
  return (files, { doLowerCase }) => {
    if (doLowerCase) {
      fail(
        'tokenizer',
        `the one in ${files.place} tells upper from lower case, and cannot be told otherwise. Leave out do_lower_case, or lower the case of the texts beforehand.`,
      );
    }
    return load(files);
  };
}
