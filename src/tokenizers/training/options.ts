import { fail } from '../../errors.js';

/** Kinds of tokenizers that can be trained, each with the model types that read its files, the usual one first. */
export const trainableTypes = {
  bpe: ['bart', 'roberta'],
  wordpiece: ['bert', 'distilbert', 'electra'],
  unigram: ['marian', 'mbart', 'mbart50', 'camembert'],
} as const;
export type TokenizerType = keyof typeof trainableTypes;
export type TrainedModelType = (typeof trainableTypes)[TokenizerType][number];

/** Texts, in any order of any number; they are read once, and not kept. */
export type Texts = Iterable<string> | AsyncIterable<string>;

export interface TokenizerTrainingOptions {
  /** Byte-level BPE, WordPiece, or a SentencePiece unigram model. */
  type: TokenizerType;
  /** Tokens at the end, special ones included. */
  vocabSize: number;
  /** Whose files and special tokens it has; by default those of bart, bert or marian. */
  modelType?: TrainedModelType | undefined;
  /** BPE and WordPiece: pairs that are met less often become no token. Default 2. */
  minFrequency?: number | undefined;
  /** WordPiece and unigram: take capitals as small letters; WordPiece then leaves out accents, as BERT does. Default false. */
  lowercase?: boolean | undefined;
  /** Unigram: share of the texts' characters that the pieces must be able to spell; rarer ones become unknown. Default 0.9995. */
  characterCoverage?: number | undefined;
  /** Marian: texts of the target side, which then has a model and a vocabulary of its own of the same size. */
  targetTexts?: Texts | undefined;
  /** Told of fewer tokens than asked for, and of characters left out; by default it is printed. */
  onWarning?: ((message: string) => void) | undefined;
}

/** The options with their defaults, found to fit together. */
export interface ResolvedTrainingOptions extends TokenizerTrainingOptions {
  readonly modelType: TrainedModelType;
  readonly minFrequency: number;
  readonly lowercase: boolean;
  readonly characterCoverage: number;
  readonly onWarning: (message: string) => void;
}

/** File name → content. */
export type TokenizerFiles = ReadonlyMap<string, string | Uint8Array>;

const DEFAULT_MIN_FREQUENCY = 2;
/** SentencePiece's own. */
const DEFAULT_CHARACTER_COVERAGE = 0.9995;
/** Beyond it ids no longer pair up in one number; no model has so many. */
const MOST_TOKENS = 2 ** 24;

export function resolveTrainingOptions(options: TokenizerTrainingOptions): ResolvedTrainingOptions {
  const { type, vocabSize, minFrequency, lowercase = false, characterCoverage, targetTexts } = options;
  if (!Object.hasOwn(trainableTypes, type)) {
    fail('tokenizer', `the type is ${JSON.stringify(type)}. Choose ${Object.keys(trainableTypes).join(', ')}.`);
  }
  const modelTypes: readonly TrainedModelType[] = trainableTypes[type];
  const modelType = options.modelType ?? modelTypes[0]!;
  if (!modelTypes.includes(modelType)) {
    fail('tokenizer', `a ${modelType} has no ${type} tokenizer. Model types of ${type}: ${modelTypes.join(', ')}.`);
  }
  if (!Number.isInteger(vocabSize) || vocabSize < 1 || vocabSize > MOST_TOKENS) {
    fail('tokenizer', `the vocabulary size is ${vocabSize}. Give a whole number from 1 to ${MOST_TOKENS}.`);
  }
  if (minFrequency !== undefined && type === 'unigram') {
    fail('tokenizer', 'a least frequency is for bpe and wordpiece; unigram weighs frequencies itself. Leave it out.');
  }
  if (minFrequency !== undefined && (!Number.isInteger(minFrequency) || minFrequency < 1)) {
    fail('tokenizer', `the least frequency is ${minFrequency}. Give a whole number from 1.`);
  }
  if (characterCoverage !== undefined && type !== 'unigram') {
    fail('tokenizer', `character coverage is for unigram; ${type} spells every character that it can. Leave it out.`);
  }
  if (characterCoverage !== undefined && !(characterCoverage >= 0.5 && characterCoverage <= 1)) {
    fail('tokenizer', `the character coverage is ${characterCoverage}. Give a share from 0.5 to 1.`);
  }
  if (lowercase && type === 'bpe') {
    fail('tokenizer', 'a bpe tokenizer keeps capitals. Lower the texts yourself, or train wordpiece or unigram.');
  }
  if (targetTexts !== undefined && modelType !== 'marian') {
    fail('tokenizer', `a ${modelType} has one tokenizer for both sides. Give the texts of both together.`);
  }
  return {
    ...options,
    modelType,
    minFrequency: minFrequency ?? DEFAULT_MIN_FREQUENCY,
    lowercase,
    characterCoverage: characterCoverage ?? DEFAULT_CHARACTER_COVERAGE,
    onWarning: options.onWarning ?? ((message) => process.stderr.write(`${message}\n`)),
  };
}

/** Refuses a vocabulary that cannot even hold what every text needs. */
export function requireRoom({ vocabSize }: ResolvedTrainingOptions, least: number, what: string): void {
  if (vocabSize >= least) return;
  fail('tokenizer', `a vocabulary of ${vocabSize} is too small: ${what} are ${least} tokens. Ask for more than that.`);
}

/** Says so where the texts do not have as many tokens as were asked for. */
export function warnIfFewer({ vocabSize, onWarning }: ResolvedTrainingOptions, size: number): void {
  if (size >= vocabSize) return;
  onWarning(
    `tokenizer: the vocabulary has ${size} tokens, not ${vocabSize}: the texts have no more. Give more texts for more.`,
  );
}

/** Names the characters that the texts have and no piece can spell. */
export function warnIfRare({ onWarning, characterCoverage }: ResolvedTrainingOptions, rare: readonly string[]): void {
  if (rare.length === 0) return;
  const named = rare.slice(0, 20).join(' ') + (rare.length > 20 ? ' …' : '');
  onWarning(
    `tokenizer: ${rare.length} characters are rarer than a character coverage of ${characterCoverage} asks for and become unknown: ` +
      `${named}. Raise it to 1 to keep all.`,
  );
}
