import { loadTokenizer } from '../load.js';
import { memorySource } from '../source.js';
import type { Tokenizer } from '../tokenizer.js';
import { trainByteLevelBpe } from './byte-level-bpe.js';
import {
  type ResolvedTrainingOptions,
  resolveTrainingOptions,
  type Texts,
  type TokenizerFiles,
  type TokenizerTrainingOptions,
  type TokenizerType,
} from './options.js';
import { trainSentencePiece } from './sentencepiece.js';
import { trainWordPiece } from './wordpiece.js';

type Trainer = (texts: Texts, options: ResolvedTrainingOptions) => Promise<TokenizerFiles>;

const TRAINERS: Readonly<Record<TokenizerType, Trainer>> = {
  bpe: trainByteLevelBpe,
  wordpiece: trainWordPiece,
  unigram: trainSentencePiece,
};

/**
 * A tokenizer made for these texts, as a model that starts fresh needs one. The texts are read once; memory is bounded by
 * their distinct words. The same texts and options give the same tokenizer, whatever the order of the texts.
 */
export async function trainTokenizer(texts: Texts, options: TokenizerTrainingOptions): Promise<Tokenizer> {
  const resolved = resolveTrainingOptions(options);
  const files = await TRAINERS[resolved.type](texts, resolved);
  // What was trained is what its files give, so that it is the same when it is saved and loaded.
  return loadTokenizer(memorySource(files), resolved.modelType);
}
