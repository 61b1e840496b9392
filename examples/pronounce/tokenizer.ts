import { bartVocabulary, createByteLevelBpe, type Merge, type Tokenizer } from '../../src/index.js';
import type { Entry } from './dictionary.js';

/** How byte-level BPE writes the space in front of a word. */
const SPACE = 'Ġ';

/**
 * A byte-level BPE with one token for each letter of the spellings and one for each phoneme, so that sequences are as
 * short as can be. A phoneme's token takes in the space before it: `" AH"` is a token, and so is `" L"`.
 */
export function createTokenizer(entries: readonly Entry[]): Tokenizer {
  const letters = distinct(entries.flatMap(({ word }) => [...word]));
  const phonemes = distinct(entries.flatMap(({ pronunciations }) => pronunciations).flatMap((said) => said.split(' ')));
  const merges = distinctMerges(phonemes.map((phoneme) => SPACE + phoneme));
  const symbols = distinct([SPACE, ...letters, ...phonemes.flatMap((phoneme) => [...phoneme])]);
  return createByteLevelBpe({
    vocab: bartVocabulary([...symbols, ...merges.map(([left, right]) => left + right)]),
    merges,
  });
}

/** The steps that build each token from its first character on: `Ġ`+`A`, `ĠA`+`H`. */
function distinctMerges(tokens: readonly string[]): Merge[] {
  const steps = tokens.flatMap((token) =>
    Array.from({ length: token.length - 1 }, (_, i): Merge => [token.slice(0, i + 1), token[i + 1]!]),
  );
  return [...new Map(steps.map((step) => [step.join(' '), step])).values()];
}

function distinct<T>(items: Iterable<T>): T[] {
  return [...new Set(items)].sort();
}
