import { bertNormalizer, bertWords } from '../bert-normalizer.js';
import { type Counts, compareCodePoints, countCharacters } from './counts.js';
import { learnMerges, spellWords } from './merges.js';
import { type ResolvedTrainingOptions, requireRoom, type Texts, type TokenizerFiles, warnIfFewer } from './options.js';
import { countTexts } from './texts.js';

const SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
/** Before the parts of a word behind the first. */
const CONTINUING = '##';
/** Most characters that are tokens, the most frequent ones. */
const MOST_CHARACTERS = 1000;

const TOKENIZER_CLASS: Partial<Record<string, string>> = {
  bert: 'BertTokenizer',
  distilbert: 'DistilBertTokenizer',
  electra: 'ElectraTokenizer',
};

/**
 * WordPiece as Hugging Face trains it: byte pair encoding of words, in which a character inside a word is another token than
 * the same one in front.
 */
export async function trainWordPiece(texts: Texts, options: ResolvedTrainingOptions): Promise<TokenizerFiles> {
  const { lowercase, modelType } = options;
  const normalize = bertNormalizer({ cleanText: true, tokenizeChineseChars: true, lowercase });
  const counts = await countTexts(texts, (text, words) => {
    for (const word of bertWords(normalize(text))) words.add(word);
  });
  const tokens = learnWordPieces(counts, options);
  return new Map([
    ['vocab.txt', tokens.map((token) => `${token}\n`).join('')],
    [
      'tokenizer_config.json',
      JSON.stringify({ tokenizer_class: TOKENIZER_CLASS[modelType], do_lower_case: lowercase }),
    ],
  ]);
}

function learnWordPieces(counts: Counts, options: ResolvedTrainingOptions): string[] {
  const kept = new Set(
    [...countCharacters(counts)]
      .sort(([a, n], [b, m]) => m - n || compareCodePoints(a, b))
      .slice(0, MOST_CHARACTERS)
      .map(([character]) => character),
  );
  const inside = new Set<string>();
  for (const [word] of counts)
    for (const part of partsOf(word).slice(1)) if (kept.has(part.slice(CONTINUING.length))) inside.add(part);
  const tokens = [...SPECIAL, ...[...kept].sort(compareCodePoints), ...[...inside].sort(compareCodePoints)];
  const alphabet = `${kept.size} characters in front of words, ${inside.size} inside and ${SPECIAL.length} special ones`;
  requireRoom(options, tokens.length, alphabet);

  const ids = new Map(tokens.map((token, id) => [token, id]));
  const words = spellWords(counts, (word) => partsOf(word).flatMap((part) => ids.get(part) ?? []));
  learnMerges(words, tokens, {
    vocabSize: options.vocabSize,
    minFrequency: options.minFrequency,
    join: (left, right) => left + right.slice(CONTINUING.length),
  });
  warnIfFewer(options, tokens.length);
  return tokens;
}

function partsOf(word: string): string[] {
  return Array.from(word, (character, i) => (i === 0 ? character : CONTINUING + character));
}
