/** Teaches a small BART to pronounce English words, from a dictionary and nothing else. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Seq2SeqError, Seq2SeqModel } from '../../src/index.js';
import { count, percent, readCommandLine, run, say } from '../terminal.js';
import { type Entry, partOf, readDictionary, split } from './dictionary.js';
import { errorRates } from './error-rates.js';
import { full, quick, type Recipe } from './recipes.js';
import { createTokenizer } from './tokenizer.js';

const USAGE = `npm run demo                     train for a few minutes, tell the error rates, pronounce some words
npm run demo -- hello zorbify    pronounce these, with the trained model if there is one
npm run demo -- --retrain        train anew although there is a trained model
npm run demo -- --quantized      compare the trained model with itself in 8 and 4 bits
npm run demo -- --full           the same with a larger model that trains for more than an hour`;

/** Unseen in training, then invented. */
const SOME_WORDS = ['transformer', 'knight', 'bouquet', 'champagne', 'frumious', 'zorbify', 'quizzaciously'];

async function main(): Promise<void> {
  const { values: options, positionals } = readCommandLine('demo', USAGE, {
    words: { type: 'string', multiple: true, default: [] },
    full: { type: 'boolean', default: false },
    retrain: { type: 'boolean', default: false },
    quantized: { type: 'boolean', default: false },
  });
  const asked = [...options.words, ...positionals].map(spelling);
  const recipe = options.full ? full : quick;
  const entries = readDictionary();

  const trained = existsSync(path.join(recipe.outputDir, 'model.safetensors')) && !options.retrain;
  const model = trained ? await load(recipe) : await teach(recipe, entries);
  if (options.quantized) await compareBits(model, recipe, entries);
  else await printWords(model, asked.length > 0 ? asked : SOME_WORDS, entries);
  model.dispose();
}

async function load({ outputDir }: Recipe): Promise<Seq2SeqModel> {
  say('Model', `the one trained before, in ${outputDir}; --retrain trains it anew`);
  return Seq2SeqModel.load({ encoderDecoderType: 'bart', encoderDecoderName: outputDir });
}

/** From the dictionary to a trained model, saved and put to the test. */
async function teach({ config, args, outputDir }: Recipe, entries: readonly Entry[]): Promise<Seq2SeqModel> {
  const start = performance.now();
  const { train, dev, test } = split(entries);
  const tokenizer = createTokenizer(entries);
  const model = await Seq2SeqModel.load({
    encoderDecoderType: 'bart',
    config: { ...config, vocab_size: tokenizer.vocabSize },
    tokenizer,
    args,
  });
  say('Words', `${count(train.length)} to train on, ${count(dev.length)} dev, ${count(test.length)} test`);
  say('Model', `BART ${config.encoder_layers}×${config.d_model}, ${count(model.parameterCount)} parameters`);

  await model.trainModel(rows(train), { outputDir });
  const { eval_loss } = await model.evalModel(rows(dev), { outputDir, silent: true });
  say('Dev', `loss ${eval_loss.toFixed(3)} a token`);

  const words = test.map(({ word }) => word);
  const listed = test.map(({ pronunciations }) => pronunciations);
  const rates = errorRates(await pronounce(model, words), listed);
  say('Test', `phoneme error rate ${percent(rates.phonemes)}, word error rate ${percent(rates.words)} on unseen words`);
  say('Time', `${((performance.now() - start) / 60_000).toFixed(1)} minutes; the model is in ${outputDir}`);
  return model;
}

/** What the model loses in fewer bits, on the words that it has not seen. */
async function compareBits(model: Seq2SeqModel, { outputDir }: Recipe, entries: readonly Entry[]): Promise<void> {
  const { test } = split(entries);
  const words = test.map(({ word }) => word);
  const listed = test.map(({ pronunciations }) => pronunciations);
  const tell = async (name: string, one: Seq2SeqModel) => {
    const { phonemes, words: wrong } = errorRates(await pronounce(one, words), listed);
    say(name, `phoneme error rate ${(100 * phonemes).toFixed(2)} %, word error rate ${(100 * wrong).toFixed(2)} %`);
  };
  await tell('32 bits', model);
  for (const bits of [8, 4] as const) {
    const directory = `${outputDir}-${bits}-bits`;
    await model.saveQuantized(directory, { bits, overwrite: true });
    const quantized = await Seq2SeqModel.load({ encoderDecoderType: 'bart', encoderDecoderName: directory });
    await tell(`${bits} bits`, quantized);
    quantized.dispose();
  }
}

/** A row for each way to say each word. */
function rows(entries: readonly Entry[]) {
  return entries.flatMap(({ word, pronunciations }) =>
    pronunciations.map((phonemes) => ({ input_text: word, target_text: ` ${phonemes}` })),
  );
}

async function pronounce(model: Seq2SeqModel, words: readonly string[]): Promise<string[]> {
  return (await model.predict(words)).map((answer) => String(answer).trim());
}

/** What the model says, beside what the dictionary says. */
async function printWords(model: Seq2SeqModel, words: readonly string[], entries: readonly Entry[]): Promise<void> {
  const dictionary = new Map(entries.map(({ word, pronunciations }) => [word, pronunciations]));
  const answers = await pronounce(model, words);
  const table = words.map((word, i) => {
    const listed = dictionary.get(word);
    if (!listed) return [word, answers[i]!, 'not in the dictionary'];
    const seen = partOf(word) === 'train' ? 'trained on' : 'unseen';
    return [word, answers[i]!, `${listed.includes(answers[i]!) ? '✓' : listed.join(', ')}  (${seen})`];
  });
  const [wide, wider] = [0, 1].map((column) => Math.max(...table.map((cells) => cells[column]!.length)));
  console.log();
  for (const [word, answer, listed] of table) {
    console.log(`${word!.padEnd(wide!)}  ${answer!.padEnd(wider!)}  ${listed}`);
  }
}

/** As the dictionary writes it: lower case, without accents. */
function spelling(word: string): string {
  const letters = word
    .toLowerCase()
    .normalize('NFKD')
    .replaceAll('’', "'")
    .replace(/[^a-z'.-]/g, '');
  if (/[a-z]/.test(letters)) return letters;
  throw new Seq2SeqError('words', `"${word}" has no letters of English. Give words to pronounce.`);
}

await run(main);
