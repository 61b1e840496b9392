import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { Command, Option } from 'commander';
import { makeDirectory, writeFileWhole } from '../checkpoints/index.js';
import { type Row, readLines, rowSource } from '../data/index.js';
import { fail } from '../errors.js';
import { Progress } from '../progress.js';
import { resolveTrainingOptions, type TokenizerType, trainableTypes, trainTokenizer } from '../tokenizers/index.js';
import { asUsage, usage } from './failure.js';
import { requireReadable } from './input.js';
import { printResult } from './output.js';

const COLUMNS: Readonly<Record<string, keyof Row>> = { input_text: 'inputText', target_text: 'targetText' };
const BOTH = Object.values(COLUMNS);

/** Whatever a tokenizer's folder may hold; left from another tokenizer, it would be taken for a part of the new one. */
const TOKENIZER_FILES = [
  ...['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json'],
  ...['vocab.json', 'merges.txt', 'vocab.txt'],
  ...['source.spm', 'target.spm', 'target_vocab.json', 'sentencepiece.bpe.model', 'spiece.model'],
];

interface Flags {
  readonly type?: TokenizerType;
  readonly input?: readonly string[];
  readonly vocabSize?: string;
  readonly outputDir?: string;
  readonly modelType?: (typeof trainableTypes)[TokenizerType][number];
  readonly minFrequency?: string;
  readonly lowercase?: boolean;
  readonly characterCoverage?: string;
  readonly column?: string;
  readonly separate?: boolean;
  readonly encoding?: string;
  readonly overwriteOutputDir?: boolean;
  readonly silent?: boolean;
  readonly json?: boolean;
}

export function tokenizerCommand(): Command {
  return new Command('tokenizer').description('Make a tokenizer of your own.').addCommand(trainTokenizerCommand());
}

function trainTokenizerCommand(): Command {
  const defaults = Object.entries(trainableTypes).map(([type, [first]]) => `${first} for ${type}`);
  return new Command('train')
    .description('Train a tokenizer on your texts, and save it in --output-dir, for a model that starts fresh.')
    .addOption(new Option('--type <type>', 'kind of tokenizer (required)').choices(Object.keys(trainableTypes)))
    .option(
      '--input <file...>',
      'texts: .txt, one a line; TSV, CSV or JSONL with input_text and target_text (required)',
    )
    .option('--vocab-size <n>', 'number of tokens, special ones included (required)')
    .option('--output-dir <dir>', 'where its files go (required)')
    .addOption(
      new Option('--model-type <type>', `model that it is for [${defaults.join(', ')}]`).choices(
        Object.values(trainableTypes).flat(),
      ),
    )
    .option('--min-frequency <n>', 'bpe, wordpiece: how often a pair must be met to become a token [2]')
    .option('--lowercase', 'wordpiece, unigram: take capitals as small letters; wordpiece then leaves out accents')
    .option('--character-coverage <x>', 'unigram: share of the characters that pieces must be able to spell [0.9995]')
    .addOption(new Option('--column <name>', 'of tables, this column alone').choices(Object.keys(COLUMNS)))
    .option('--separate', 'marian: a vocabulary for each side, of the column input_text and of target_text')
    .option('--encoding <name>', 'of the files [utf-8]')
    .option('--overwrite-output-dir', 'allow an --output-dir that has files; those of a tokenizer are replaced')
    .option('--silent', 'no progress')
    .option('--json', 'print the result as one JSON object')
    .action(train);
}

async function train(flags: Flags): Promise<void> {
  const { type, input, vocabSize, outputDir, column, separate, encoding, silent = false, json } = flags;
  if (type === undefined) usage('tokenizer', `which kind? Give --type ${Object.keys(trainableTypes).join(', ')}.`);
  if (input === undefined) usage('tokenizer', 'which texts? Give --input FILE.');
  if (vocabSize === undefined) usage('tokenizer', 'how many tokens? Give --vocab-size N.');
  if (outputDir === undefined) usage('tokenizer', 'where to? Give --output-dir DIR.');
  if (separate && column !== undefined) usage('tokenizer', '--separate uses both columns. Leave out --column.');
  const plain = input.find(isPlain);
  if (plain !== undefined && (separate || column !== undefined))
    usage('tokenizer', `${plain} has no columns. Give a table to --${separate ? 'separate' : 'column'}.`);
  for (const file of input) requireReadable(file, 'tokenizer');
  if (!flags.overwriteOutputDir) requireFree(outputDir);

  const textsOf = (columns: readonly (keyof Row)[]) => counted(texts(input, columns, encoding), silent);
  const warnings: string[] = [];
  const options = {
    type,
    vocabSize: wholeNumber('--vocab-size', vocabSize),
    modelType: flags.modelType,
    minFrequency: flags.minFrequency === undefined ? undefined : wholeNumber('--min-frequency', flags.minFrequency),
    lowercase: flags.lowercase,
    characterCoverage: flags.characterCoverage === undefined ? undefined : Number(flags.characterCoverage),
    targetTexts: separate ? textsOf([COLUMNS.target_text!]) : undefined,
    onWarning: (message: string) => void warnings.push(message),
  };
  asUsage(() => resolveTrainingOptions(options));
  const columns = separate ? [COLUMNS.input_text!] : column ? [COLUMNS[column]!] : BOTH;
  const tokenizer = await trainTokenizer(textsOf(columns), options);
  for (const warning of warnings) console.error(warning);
  await save(tokenizer.files(), outputDir);
  await printResult({ output_dir: outputDir, vocab_size: tokenizer.vocabSize }, json);
}

const isPlain = (file: string): boolean => extname(file).toLowerCase() === '.txt';

async function* texts(
  files: readonly string[],
  columns: readonly (keyof Row)[],
  encoding: string | undefined,
): AsyncGenerator<string> {
  for (const file of files) {
    if (isPlain(file)) yield* readLines(file, { encoding });
    else for await (const row of rowSource(file, { encoding }).read()) for (const column of columns) yield row[column];
  }
}

async function* counted(source: AsyncIterable<string>, silent: boolean): AsyncGenerator<string> {
  const progress = new Progress('Reading', undefined, silent);
  let read = 0;
  for await (const text of source) {
    progress.update(++read);
    yield text;
  }
  progress.finish();
}

function wholeNumber(flag: string, text: string): number {
  return /^\d+$/.test(text) ? Number(text) : usage(flag, `it is ${JSON.stringify(text)}. Give a whole number.`);
}

function requireFree(directory: string): void {
  if (!existsSync(directory)) return;
  if (!statSync(directory).isDirectory()) fail('tokenizer', `${directory} is a file. Name a directory.`);
  const files = readdirSync(directory);
  if (files.length === 0) return;
  fail(
    'tokenizer',
    `${directory} has ${files.length} files. Name another directory, or allow it with --overwrite-output-dir.`,
  );
}

async function save(files: ReadonlyMap<string, string | Uint8Array>, directory: string): Promise<void> {
  await makeDirectory(directory, 'tokenizer');
  for (const [name, content] of files) await writeFileWhole(join(directory, name), content, 'tokenizer');
  for (const name of TOKENIZER_FILES) if (!files.has(name)) rmSync(join(directory, name), { force: true });
}
