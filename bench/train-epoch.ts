import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { miniLm, obtain, wordNet } from '../examples/kinds/packages.js';
import { readWordNet, split as splitWordNet } from '../examples/kinds/wordnet.js';
import { readDictionary, split } from '../examples/pronounce/dictionary.js';
import { quick } from '../examples/pronounce/recipes.js';
import { createTokenizer } from '../examples/pronounce/tokenizer.js';
import { Seq2SeqModel } from '../src/index.js';
import { type Contender, flags, machine, median, root, startOurs, startPython } from './contest.js';

// One epoch of training with everything that belongs to it, from tokenised rows to updated weights, against Simple
// Transformers as it is shipped and against a PyTorch loop that pads to the longest of a batch of like lengths:
// `node dist/bench/train-epoch.js --turns 3 --threads 2`.

interface Task {
  readonly type: string;
  /** Made once under the cache: a model that both sides load, and `rows.tsv`. */
  readonly make: (directory: string) => Promise<void>;
  /** Rows of an epoch; fewer for Simple Transformers, whose time is scaled, since it pads every row to 128 tokens. */
  readonly rows: number;
  readonly shippedRows: number;
}

const tasks: Record<string, Task> = {
  pronounce: { type: 'bart', make: makePronounce, rows: 3000, shippedRows: 480 },
  kinds: { type: 'bert', make: makeKinds, rows: 1200, shippedRows: 48 },
};

const options = flags({ turns: 3, threads: 2, batch: 8, task: '' });
console.log(`${machine()}, ${options.threads} threads, batches of ${options.batch} rows`);
for (const [name, task] of Object.entries(tasks)) {
  if (options.task === '' || options.task === name) await run(name, task);
}

async function run(name: string, task: Task): Promise<void> {
  const directory = path.join(root, 'bench/.cache/train-epoch', name);
  if (!existsSync(path.join(directory, 'rows.tsv'))) await task.make(directory);
  const settings = { directory, type: task.type, threads: options.threads };
  const ours = await startOurs('train-epoch-server.js', settings);
  const fair = await startPython('PyTorch', 'train_epoch.py', settings);
  const shipped = await startPython('Simple Transformers', 'train_epoch_shipped.py', settings);

  const first = { rows: 64, batch: 8, dropout: false };
  const [a, b] = [await ours.round(first), await fair.round(first)];
  console.log(
    `${name}: mean loss of 8 steps without dropout ${Number(a.loss).toFixed(5)} and ${Number(b.loss).toFixed(5)}`,
  );

  const times = { ours: [] as number[], fair: [] as number[], shipped: [] as number[] };
  const round = { rows: task.rows, batch: options.batch, dropout: true };
  const seconds = async (who: Contender, what: object) => (await who.round(what)).seconds;
  for (let turn = 0; turn < options.turns; turn++) {
    times.ours.push(await seconds(ours, round));
    times.fair.push(await seconds(fair, round));
    const scaled = await seconds(shipped, { ...round, rows: task.shippedRows });
    times.shipped.push((scaled * task.rows) / task.shippedRows);
  }
  const [mine, theirs, as] = [median(times.ours), median(times.fair), median(times.shipped)];
  console.log(
    `${name}: ${task.rows} rows in ${mine.toFixed(2)} s; PyTorch loop ${theirs.toFixed(2)} s, ratio ${(theirs / mine).toFixed(2)}; ` +
      `Simple Transformers as shipped ${as.toFixed(1)} s, ratio ${(as / mine).toFixed(1)}`,
  );
  for (const who of [ours, fair, shipped]) who.stop();
}

async function makePronounce(directory: string): Promise<void> {
  const entries = readDictionary();
  const tokenizer = createTokenizer(entries);
  const config = { ...quick.config, dropout: 0.1, max_position_embeddings: 136, vocab_size: tokenizer.vocabSize };
  const model = await Seq2SeqModel.load({ encoderDecoderType: 'bart', config, tokenizer, args: { manualSeed: 1 } });
  const rows = split(entries).train.map(({ word, pronunciations }) => [word, ` ${pronunciations[0]}`] as const);
  await save(model, directory, rows);
}

async function makeKinds(directory: string): Promise<void> {
  const cache = path.join(root, 'outputs/kinds');
  const bert = await obtain(miniLm, path.join(cache, 'minilm'));
  const words = await obtain(wordNet, path.join(cache, 'wordnet'));
  const { train } = splitWordNet(readWordNet(readFileSync(path.join(words, 'data.noun'), 'utf8')));
  const model = await Seq2SeqModel.load({
    encoderType: 'bert',
    encoderName: bert,
    decoderName: bert,
    args: { manualSeed: 1, silent: true },
  });
  await save(
    model,
    directory,
    train.map(({ input_text, target_text }) => [input_text, target_text] as const),
  );
}

async function save(
  model: Seq2SeqModel,
  directory: string,
  rows: readonly (readonly [string, string])[],
): Promise<void> {
  await mkdir(directory, { recursive: true });
  await model.saveModel(path.join(directory, 'model'));
  model.dispose();
  const lines = rows
    .slice(0, 20_000)
    .map(([source, target]) => `${source.replace(/\s+/g, ' ')}\t${target.replace(/\s+/g, ' ')}\n`);
  await writeFile(path.join(directory, 'rows.tsv'), `input_text\ttarget_text\n${lines.join('')}`);
}
