import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadTokenizer } from '../load.js';
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
  return fromFiles(await TRAINERS[resolved.type](texts, resolved), resolved.modelType);
}

/** The tokenizer that loading these files gives, so that what was trained and what is saved are one. */
function fromFiles(files: TokenizerFiles, modelType: string): Tokenizer {
  const folder = mkdtempSync(join(tmpdir(), 'seq2seq-tokenizer-'));
  try {
    for (const [name, content] of files) writeFileSync(join(folder, name), content);
    return loadTokenizer(folder, modelType);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
