import { byteAlphabet, toByteAlphabet } from '../byte-alphabet.js';
import { bartVocabulary } from '../byte-level-bpe.js';
import { wordEnd } from '../words.js';
import { type Counts, compareCodePoints } from './counts.js';
import { learnMerges, spellWords } from './merges.js';
import { type ResolvedTrainingOptions, requireRoom, type Texts, type TokenizerFiles, warnIfFewer } from './options.js';
import { countTexts } from './texts.js';

const TOKENIZER_CLASS: Partial<Record<string, string>> = { bart: 'BartTokenizer', roberta: 'RobertaTokenizer' };

/** Byte pair encoding of bytes, as of GPT-2, BART and RoBERTa: the words and the 256 bytes that any text is spelled in. */
export async function trainByteLevelBpe(texts: Texts, options: ResolvedTrainingOptions): Promise<TokenizerFiles> {
  const alphabet = byteAlphabet().sort(compareCodePoints);
  const special = Object.keys(bartVocabulary([]));
  requireRoom(
    options,
    alphabet.length + special.length,
    `the ${alphabet.length} bytes and ${special.length} special ones`,
  );
  const counts = await countTexts(texts, addWords);

  const tokens = [...special.slice(0, -1), ...alphabet];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const words = spellWords(counts, (word) => Array.from(toByteAlphabet(word), (character) => ids.get(character)!));
  const merges = learnMerges(words, tokens, {
    // The mask comes last.
    vocabSize: options.vocabSize - 1,
    minFrequency: options.minFrequency,
    join: (left, right) => left + right,
  });
  const vocabulary = bartVocabulary(tokens);
  warnIfFewer(options, Object.keys(vocabulary).length);
  return new Map([
    ['vocab.json', JSON.stringify(vocabulary)],
    ['merges.txt', `#version: 0.2\n${merges.map((merge) => `${merge.join(' ')}\n`).join('')}`],
    ['tokenizer_config.json', JSON.stringify({ tokenizer_class: TOKENIZER_CLASS[options.modelType] })],
  ]);
}

function addWords(text: string, counts: Counts): void {
  for (let start = 0; start < text.length; ) {
    const end = wordEnd(text, start);
    counts.add(text.slice(start, end));
    start = end;
  }
}
