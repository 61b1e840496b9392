/** Teaches a small Marian to translate dates in words from English to German, from rows it makes itself and nothing else. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Seq2SeqModel, trainTokenizer } from '../../src/index.js';
import { editDistance } from '../pronounce/error-rates.js';
import { count, percent, readCommandLine, run, say } from '../terminal.js';
import * as recipe from './recipe.js';
import { createRows, type Part, type Row } from './rows.js';

const USAGE = `npm run example:dates                                    train, tell the errors before and after, translate some
npm run example:dates -- "May the first, nineteen ten"   translate this, with the trained model if there is one
npm run example:dates -- --retrain                       train anew although there is a trained model
npm run example:dates -- --files                         write the rows and the model's config for the command line`;

const SHOWN = 5;
const MODEL = path.join(recipe.OUTPUT, 'model');

async function main(): Promise<void> {
  const { values, positionals: dates } = readCommandLine('dates', USAGE, {
    retrain: { type: 'boolean', default: false },
    files: { type: 'boolean', default: false },
  });
  const rows = createRows(recipe.SIZES);
  if (values.files) return writeFiles(rows);

  const trained = existsSync(path.join(MODEL, 'model.safetensors')) && !values.retrain;
  const model = trained ? await load() : await teach(rows);
  await printTranslations(model, dates.length > 0 ? dates : rows.test.slice(0, SHOWN));
  model.dispose();
}

async function load(): Promise<Seq2SeqModel> {
  say('Model', `the one trained before, in ${MODEL}; --retrain trains it anew`);
  return Seq2SeqModel.load({ encoderDecoderType: 'marian', encoderDecoderName: MODEL });
}

/** From rows to a tokenizer, and with it to a trained model, saved and put to the test. */
async function teach({ train, test }: Record<Part, Row[]>): Promise<Seq2SeqModel> {
  const { config, args } = recipe;
  const tokenizer = await trainTokenizer(train.flatMap(Object.values), recipe.tokenizer);
  const model = await Seq2SeqModel.load({ encoderDecoderType: 'marian', config, tokenizer, args });
  say('Rows', `${count(train.length)} dates to train on, ${count(test.length)} of other years to test with`);
  say('Tokens', `${tokenizer.vocabSize} of both languages`);
  say('Model', `Marian ${config.encoder_layers}×${config.d_model}, ${count(model.parameterCount)} parameters`);

  await tellErrors('Before', model, test);
  const start = performance.now();
  await model.trainModel(train, { outputDir: MODEL });
  const minutes = (performance.now() - start) / 60_000;
  await tellErrors('After', model, test);
  say('Time', `${minutes.toFixed(1)} minutes of training; the model is in ${MODEL}`);
  return model;
}

async function tellErrors(when: string, model: Seq2SeqModel, test: readonly Row[]): Promise<void> {
  const { eval_loss } = await model.evalModel(test, { outputDir: MODEL, silent: true });
  const answers = await translate(
    model,
    test.map(({ input_text }) => input_text),
  );
  let [edits, letters, wrong] = [0, 0, 0];
  for (const [i, { target_text }] of test.entries()) {
    const distance = editDistance([...answers[i]!], [...target_text]);
    edits += distance;
    letters += target_text.length;
    wrong += Number(distance > 0);
  }
  const rates = `letter error rate ${percent(edits / letters)}, ${percent(wrong / test.length)} of dates wrong`;
  say(when, `loss ${eval_loss.toFixed(4)} a token; ${rates}`);
}

/** Before training no answer comes to its end, which is no news. */
async function translate(model: Seq2SeqModel, dates: readonly string[]): Promise<string[]> {
  return (await model.predict(dates, { onUnfinished: () => {} })).map(String);
}

/** What the model says; where it is known, beside what is right. */
async function printTranslations(model: Seq2SeqModel, asked: readonly (string | Row)[]): Promise<void> {
  const dates = asked.map((item) => (typeof item === 'string' ? item : item.input_text));
  const answers = await translate(model, dates);
  for (const [i, item] of asked.entries()) {
    const right = typeof item === 'string' ? answers[i] : item.target_text;
    const verdict = typeof item === 'string' ? '' : answers[i] === right ? '  ✓' : `  (${right})`;
    console.log(`\n${dates[i]}\n  ${answers[i]}${verdict}`);
  }
}

function writeFiles(rows: Record<Part, Row[]>): void {
  mkdirSync(recipe.OUTPUT, { recursive: true });
  const table = (part: Part) => ['input_text\ttarget_text', ...rows[part].map((row) => Object.values(row).join('\t'))];
  const files = {
    'train.tsv': table('train').join('\n'),
    'test.tsv': table('test').join('\n'),
    'test.en.txt': rows.test.map(({ input_text }) => input_text).join('\n'),
    'test.de.txt': rows.test.map(({ target_text }) => target_text).join('\n'),
    'config.json': JSON.stringify(recipe.config, null, 2),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(recipe.OUTPUT, name), `${text}\n`);
  say('Files', `${Object.keys(files).join(', ')} in ${recipe.OUTPUT}`);
}

await run(main);
