import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type RowInput, Seq2SeqError, type Seq2SeqModel } from '../../src/index.js';
import { changeJson, copyOf, fixture, loadBart, temporaryFolder } from '../support.js';

const folder = temporaryFolder();
let copies = 0;
const hostile = fileURLToPath(new URL('../fixtures/checkpoints/hostile', import.meta.url));

/** The message of the error that a call ends with; anything but an error of ours fails. */
async function messageOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Seq2SeqError);
  return (error as Seq2SeqError).message;
}

/** Changes the bytes of one weight in a safetensors file. */
function overwrite(file: string, name: string, values: Float32Array): void {
  const bytes = readFileSync(file);
  const start = 8 + Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<string, { data_offsets: [number, number] }>;
  Buffer.from(values.buffer).copy(bytes, start + header[name]!.data_offsets[0]);
  writeFileSync(file, bytes);
}

describe('a damaged model directory is refused with what is wrong:', () => {
  const weights = 'model.safetensors';
  const cases: [string, (directory: string) => void, RegExp][] = [
    [
      'no directory',
      (d) => rmSync(d, { recursive: true }),
      /^model: there is no directory ".*" \(looked at .*\), nor can this be the id of a repository on the hub: .*\. Check the path, /,
    ],
    ['no weights', (d) => rmSync(join(d, weights)), /^checkpoint: .* no .*model\.safetensors/],
    [
      'weights cut off',
      (d) => truncateSync(join(d, weights), 50_000),
      /^checkpoint: .*model\.safetensors ends at byte 50000, its header promises \d+\./,
    ],
    [
      'weights cut off in the header',
      (d) => truncateSync(join(d, weights), 100),
      /^checkpoint: .*model\.safetensors ends at byte 100, within its header of \d+ bytes\./,
    ],
    [
      'empty weights',
      (d) => truncateSync(join(d, weights), 0),
      /^checkpoint: .*model\.safetensors ends at byte 0, before its header\./,
    ],
    [
      'a Git LFS pointer',
      (d) => writeFileSync(join(d, weights), 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n'),
      /is a Git LFS pointer, not the weights\. Run "git lfs pull"/,
    ],
    [
      "a shape that is not the config's",
      (d) => changeJson(join(d, 'config.json'), { decoder_ffn_dim: 40 }),
      /^checkpoint: 6 weights of bart have another shape than config\.json asks for: model\.decoder\.layers\.0\.fc1\.weight is \[32, 16\], must be \[40, 16\]/,
    ],
    [
      'a layer that the weights lack',
      (d) => changeJson(join(d, 'config.json'), { encoder_layers: 3 }),
      /^checkpoint: 16 of the \d+ weights of bart are missing: model\.encoder\.layers\.2\./,
    ],
    [
      'NaN in a weight',
      (d) => overwrite(join(d, weights), 'model.encoder.layers.1.fc1.bias', Float32Array.of(0, Number.NaN)),
      /^checkpoint: model\.encoder\.layers\.1\.fc1\.bias has 1 of 32 elements that are not finite numbers, the first at 1 \(NaN\)\./,
    ],
    ['no config.json', (d) => rmSync(join(d, 'config.json')), /^checkpoint: .*config\.json/],
    [
      'a config.json that is not JSON',
      (d) => writeFileSync(join(d, 'config.json'), '{"d_model": 16,'),
      /^checkpoint: .*config\.json cannot be read as JSON: /,
    ],
    [
      'a config.json without a size',
      (d) => changeJson(join(d, 'config.json'), { d_model: undefined }),
      /^config\.json: "d_model" is missing\. Add it, or load a complete checkpoint\.$/,
    ],
    [
      'a config.json without its type',
      (d) => changeJson(join(d, 'config.json'), { model_type: undefined }),
      /^config\.json: .* has no "model_type"\. Add it, /,
    ],
    [
      'a config.json of another type',
      (d) => changeJson(join(d, 'config.json'), { model_type: 't5' }),
      /^config\.json: model_type "t5" of .* is not supported; supported are: bart, mbart, /,
    ],
    [
      'a config.json with a size that is none',
      (d) => changeJson(join(d, 'config.json'), { encoder_layers: '2' }),
      /^config\.json: "encoder_layers" is "2"; it must be a whole number of at least 0\.$/,
    ],
    [
      'an unknown activation',
      (d) => changeJson(join(d, 'config.json'), { activation_function: 'gelo' }),
      /^config\.json: activation_function "gelo" is unknown\. Did you mean "gelu"\?$/,
    ],
    ['no tokenizer', (d) => rmSync(join(d, 'vocab.json')), /^tokenizer: .*/],
    [
      'a tokenizer of more tokens',
      (d) => changeJson(join(d, 'vocab.json'), { extra: 296 }),
      /^tokenizer: it has 297 tokens, but the model has embeddings for 296\./,
    ],
    [
      'options that are not JSON',
      (d) => writeFileSync(join(d, 'model_args.json'), '{'),
      /^model_args\.json: .*model_args\.json is not valid JSON: /,
    ],
    [
      'a setting that the search lacks',
      (d) => changeJson(join(d, 'generation_config.json'), { penalty_alpha: 0.6 }),
      /^generation: generation_config\.json sets penalty_alpha to 0\.6, which this search does not have\./,
    ],
  ];
  it.each(cases)('%s', async (_, damage, message) => {
    const directory = copyOf('base', join(folder, `model-${copies++}`));
    damage(directory);
    const load = async () => {
      const model = await loadBart(directory);
      // Settings of generation count when something is generated.
      await model.predict(['tea']).finally(() => model.dispose());
    };
    expect(await messageOf(load())).toMatch(message);
  });

  it.each(readdirSync(hostile))('a pickle that wants to run code: %s', async (name) => {
    const directory = copyOf('base', join(folder, `model-${copies++}`));
    rmSync(join(directory, weights));
    copyFileSync(join(hostile, name), join(directory, 'pytorch_model.bin'));
    const message = await messageOf(loadBart(directory));
    expect(message).toMatch(/^checkpoint: .*pytorch_model\.bin wants to run code: its pickle names [\w.]+,/);
    expect(message).toMatch(/nothing of it was run\. Where you trust it, convert it to safetensors in Python/);
  });
});

describe('bad rows are refused with file, line and remedy, before anything is written:', () => {
  const header = 'input_text\ttarget_text\n';
  const cases: [string, string, string | Uint8Array, RegExp][] = [
    ['no such file', 'none.tsv', '', /^data: cannot read .*none\.tsv: /],
    [
      'an empty file',
      'rows.tsv',
      '',
      /^data: .*rows\.tsv is empty\. It needs a first line that names the columns input_text and target_text\.$/,
    ],
    [
      'a header alone',
      'rows.tsv',
      header,
      /^data: there are no rows\. Give at least one, with input_text and target_text\.$/,
    ],
    [
      'no column of answers',
      'rows.tsv',
      'input_text\ttarget\na\tb\n',
      /^data: .*rows\.tsv has no column target_text; its first line names "input_text", "target"\./,
    ],
    [
      'a line that is too short',
      'rows.tsv',
      `${header}a\tb\nalone\n`,
      /^data: .*rows\.tsv, line 3: the cell target_text is missing \(1 of 2 cells\)\./,
    ],
    [
      'a line that is too long',
      'rows.tsv',
      `${header}a\tb\tc\n`,
      /^data: .*rows\.tsv, line 2: 3 cells under 2 columns\./,
    ],
    [
      'an open quote',
      'rows.csv',
      'input_text,target_text\n"a,b\n',
      /^data: .*rows\.csv: the quote that opens at line 2 is never closed\./,
    ],
    [
      'invalid UTF-8',
      'rows.tsv',
      Buffer.concat([Buffer.from(`${header}a\tb\n`), Buffer.from([0x63, 0xff, 9, 100, 10])]),
      /^data: .*rows\.tsv is not valid UTF-8 at byte 28, line 3 \(0xff\)\. Convert it to UTF-8, or name its encoding\.$/,
    ],
    [
      'a line that is not JSON',
      'rows.jsonl',
      '{"input_text": "a", "target_text": "b"}\nplain\n',
      /^data: .*rows\.jsonl, line 2 is not JSON: /,
    ],
    [
      'a row without an answer',
      'rows.jsonl',
      '{"input_text": "a"}\n',
      /^data: .*rows\.jsonl, line 1: target_text is missing\. It must be a string\.$/,
    ],
    [
      'an unknown kind of file',
      'rows.xlsx',
      'PK',
      /^data: cannot tell what kind of table .*rows\.xlsx is\. Its name must end with \.tsv/,
    ],
    [
      'a text beyond the positions',
      'rows.tsv',
      `${header}${'word '.repeat(60)}\tb\n`,
      /^data: the source of row 1 has 128 tokens, but the model has 48 positions\. Lower maxSeqLength to 48\.$/,
    ],
    [
      'an answer beyond the positions',
      'rows.tsv',
      `${header}a\t${'word '.repeat(60)}\n`,
      /^data: the target of row 1 has 128 tokens, but the model has 48 positions\. Lower maxTargetLength to 48\.$/,
    ],
  ];
  it.each(cases)('%s', async (_, name, content, message) => {
    const place = join(folder, `rows-${copies++}`);
    mkdirSync(place);
    const file = join(place, name);
    if (name !== 'none.tsv') writeFileSync(file, content);
    const outputDir = join(place, 'output');
    const model = await loadBart(fixture('base'));
    expect(await messageOf(model.trainModel(file, { outputDir }))).toMatch(message);
    expect(await messageOf(model.evalModel(file, { outputDir }))).toMatch(message);
    expect(existsSync(outputDir)).toBe(false);
    model.dispose();
  });

  it.each([
    [[], 'data: there are no rows. Give at least one, with input_text and target_text.'],
    [['a'], 'data: row 0 is a string. A row is an object with input_text and target_text.'],
    [[{ input_text: 'a', target_text: 3 }], 'data: row 0: target_text is a number. It must be a string.'],
    [
      [{ input_text: 'a', target_text: 'b' }, { input_text: 'a' }],
      'data: row 1: target_text is missing. It must be a string.',
    ],
    [{}, 'data: rows are the path of a table or a list of objects, not an object.'],
    [undefined, 'data: rows are the path of a table or a list of objects, not undefined.'],
  ])('as objects: %j', async (rows, message) => {
    const model = await loadBart(fixture('base'));
    const outputDir = join(folder, 'never');
    expect(await messageOf(model.trainModel(rows as RowInput[], { outputDir }))).toBe(message);
    expect(existsSync(outputDir)).toBe(false);
    model.dispose();
  });
});

describe('what is long or empty but no mistake', () => {
  it('works: a line of 1 MB, cut to the model, and empty texts', async () => {
    const model = await loadBart(fixture('base'), {
      args: { maxSeqLength: 48, maxLength: 8, saveModelEveryEpoch: false },
    });
    const long = 'snow '.repeat(200_000);
    const rows = [
      { input_text: long, target_text: 'snow' },
      { input_text: '', target_text: long },
      { input_text: 'tea', target_text: '' },
    ];
    const { trainingLoss } = await model.trainModel(rows, { outputDir: join(folder, 'long') });
    expect(trainingLoss).toBeGreaterThan(0);
    const [answer, head] = await model.predict([long, 'snow '.repeat(100)]);
    expect(answer).toBe(head);
    model.dispose();
  });
});

describe('bad options are refused:', () => {
  const predicting = (texts: string[]) => (model: Seq2SeqModel) => model.predict(texts);
  it.each([
    [
      'maxLength beyond the positions',
      { maxLength: 50 },
      predicting(['a']),
      'generation: maxLength is 50, but the model has 48 positions. Set at most 49.',
    ],
    [
      'maxSeqLength beyond the positions',
      { maxSeqLength: 200 },
      predicting(['word '.repeat(60)]),
      'predict: text 0 has 200 tokens, but the model has 48 positions. Lower maxSeqLength to 48.',
    ],
    [
      'minLength over maxLength',
      { minLength: 9, maxLength: 8 },
      predicting(['a']),
      'generation: minLength is 9, but maxLength is 8.',
    ],
  ])('%s', async (_, args, call, message) => {
    const model = await loadBart(fixture('base'), { args });
    expect(await messageOf(call(model))).toContain(message);
    model.dispose();
  });

  it('in a call of trainModel, which then changes nothing', async () => {
    const model = await loadBart(fixture('base'));
    const train = (args: object) => model.trainModel([], { args });
    expect(await messageOf(train({ learningrate: 1 }))).toBe(
      'args: there is no option "learningrate". Did you mean "learningRate"?',
    );
    expect(await messageOf(train({ learningRate: 'fast' }))).toBe(
      'args: learningRate is "fast"; it must be a number, at least 0.',
    );
    expect(await messageOf(train({ nGpu: 4 }))).toContain(
      'training runs on the CPU; `threads` says on how many cores. Leave it at 1.',
    );
    expect(model.args.learningRate).toBe(4e-5);
    model.dispose();
  });

  it('a learning rate that makes the loss infinite, with the step; nothing is saved', async () => {
    const outputDir = join(folder, 'diverged');
    const model = await loadBart(fixture('base'), { args: { learningRate: 1e30, numTrainEpochs: 50, warmupSteps: 1 } });
    const message = await messageOf(
      model.trainModel(fixture('base', 'train.tsv'), { outputDir, args: { saveModelEveryEpoch: false } }),
    );
    expect(message).toMatch(
      /^training: at step \d+ the loss is \S+ and the gradient norm \S+, at learning rate \S+; 11 such steps are more than/,
    );
    expect(readdirSync(outputDir).sort()).toEqual(['trainer_state.json', 'training_log.jsonl']);
    model.dispose();
  });
});
