import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AutoModelForSeq2SeqLM,
  AutoTokenizer,
  env,
  type PreTrainedModel,
  type PreTrainedTokenizer,
  pipeline,
  type Tensor,
} from '@huggingface/transformers';
import { InferenceSession, Tensor as OnnxTensor, type OnnxValue } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Seq2SeqArgsInput, Seq2SeqModel, type TokenizerTrainingOptions, trainTokenizer } from '../../src/index.js';
import { loadTokenizer, marianJson } from '../../src/tokenizers/index.js';
import { changeJson, readJson, temporaryFolder } from '../support.js';

// Exported directories in the real transformers.js, and those that it has no class for in the bare engine.

const fixtures = new URL('../fixtures/', import.meta.url).pathname;
const folder = temporaryFolder();
env.allowRemoteModels = false;
env.localModelPath = folder;

const MAX_LENGTH = 20;

async function exported(type: string, place: string, args: Seq2SeqArgsInput = {}) {
  const model = await Seq2SeqModel.load({
    encoderDecoderType: type,
    encoderDecoderName: join(fixtures, place),
    args: { silent: true, maxLength: MAX_LENGTH, skipSpecialTokens: false, ...args },
  });
  const name = [...place.split('/'), ...(args.srcLang === undefined ? [] : [args.srcLang])].join('-');
  await model.exportOnnx(join(folder, name), { overwrite: true });
  const lines = readFileSync(join(fixtures, place, 'input.txt'), 'utf8')
    .replace(/\n$/, '')
    .split('\n');
  const answers = (await model.predict(lines, { scores: true })).map(([best]) => [...best!.ids]);
  return { model, name, lines, answers };
}

describe.each<[string, string, Seq2SeqArgsInput]>([
  ['bart', 'bart/base', {}],
  ['bart', 'bart/uneven', {}],
  ['marian', 'translation/marian', {}],
  ['mbart', 'translation/mbart', { srcLang: 'en_XX', tgtLang: 'ro_RO' }],
  ['mbart50', 'translation/mbart50', { srcLang: 'en_XX', tgtLang: 'ro_RO' }],
  // Of neither side the language that the checkpoint's tokenizer says.
  ['mbart', 'translation/mbart', { srcLang: 'ro_RO', tgtLang: 'en_XX' }],
  ['mbart50', 'translation/mbart50', { srcLang: 'ro_RO', tgtLang: 'en_XX' }],
])('a %s (%s, %o) in transformers.js', (type, place, args) => {
  let ours: Awaited<ReturnType<typeof exported>>;
  let theirs: PreTrainedModel;
  let tokenizer: PreTrainedTokenizer;
  beforeAll(async () => {
    ours = await exported(type, place, args);
    [theirs, tokenizer] = await loaded(ours.name);
  });
  afterAll(async () => {
    ours.model.dispose();
    await theirs.dispose();
  });

  it('has the same tokens', () => {
    const { model, lines } = ours;
    for (const line of lines) {
      const ids = tokenizer(line, { return_tensor: false }).input_ids;
      expect([...ids].map(Number)).toEqual([...model.encoderTokenizer.encode(line, { language: args.srcLang })]);
    }
  });

  it('gives the same greedy answers, alone and in a padded batch', async () => {
    const { lines, answers } = ours;
    await expectSameAnswers(theirs, tokenizer, lines, answers, { max_length: MAX_LENGTH });
    for (const i of [1, 3]) {
      expect(await generated(theirs, tokenizer, [lines[i]!], { max_length: MAX_LENGTH })).toEqual([answers[i]]);
    }
    expect(new Set(answers.map((answer) => answer.length)).size).toBeGreaterThan(1);
  });

  it('gives the same texts in a pipeline', async () => {
    const { model, name, lines, answers } = ours;
    const answer = await pipeline('text2text-generation', name, { dtype: 'fp32' });
    for (const i of [0, 1, 3]) {
      const [text] = await answer(lines[i]!, { max_new_tokens: MAX_LENGTH - 1 });
      const expected = model.decoderTokenizer.decode(answers[i]!, { skipSpecialTokens: true });
      expect(text).toEqual({ generated_text: expected });
    }
    await answer.dispose();
  });
});

const loaded = (name: string): Promise<[PreTrainedModel, PreTrainedTokenizer]> =>
  Promise.all([AutoModelForSeq2SeqLM.from_pretrained(name, { dtype: 'fp32' }), AutoTokenizer.from_pretrained(name)]);

async function generated(
  model: PreTrainedModel,
  tokenizer: PreTrainedTokenizer,
  lines: readonly string[],
  options: object = {},
) {
  const output = (await model.generate({ ...tokenizer([...lines], { padding: true }), ...options })) as Tensor;
  return (output.tolist() as (bigint | number)[][]).map((ids) => ids.map(Number));
}

/** In one batch. Behind its end an answer goes on in transformers.js until all have ended. */
async function expectSameAnswers(
  model: PreTrainedModel,
  tokenizer: PreTrainedTokenizer,
  lines: readonly string[],
  answers: readonly (readonly number[])[],
  options: object = {},
) {
  const together = await generated(model, tokenizer, lines, options);
  expect(answers.map(({ length }, i) => together[i]!.slice(0, length))).toEqual(answers);
}

describe('a model that was never in Python', () => {
  const lines = ['the sun is hot and the snow is cold', 'a cat sat on the mat', 'dogs run fast'];
  const config = {
    ...{ d_model: 16, encoder_layers: 2, decoder_layers: 1, encoder_attention_heads: 2, decoder_attention_heads: 4 },
    ...{ encoder_ffn_dim: 32, decoder_ffn_dim: 16, max_position_embeddings: 64, init_std: 0.5 },
  };

  it.each<[string, TokenizerTrainingOptions]>([
    ['bart', { type: 'bpe', vocabSize: 300, modelType: 'bart', minFrequency: 1 }],
    ['marian', { type: 'unigram', vocabSize: 30, modelType: 'marian' }],
    ['mbart', { type: 'unigram', vocabSize: 60, modelType: 'mbart' }],
    ['mbart50', { type: 'unigram', vocabSize: 90, modelType: 'mbart50' }],
  ])('answers in transformers.js by the options that it has: %s', async (type, training) => {
    const tokenizer = await trainTokenizer(lines, { onWarning: () => {}, ...training });
    // Otherwise the answers of random weights would be one token many times.
    const rules = { maxLength: 33, minLength: 25, repetitionPenalty: 1.3, noRepeatNgramSize: 2 };
    const model = await Seq2SeqModel.load({
      encoderDecoderType: type,
      config: { ...config },
      tokenizer,
      args: { silent: true, manualSeed: 5, ...rules },
    });
    await model.exportOnnx(join(folder, `fresh-${type}`));
    const answers = (await model.predict(lines, { scores: true })).map(([best]) => [...best!.ids]);
    model.dispose();
    const [theirs, itsTokenizer] = await loaded(`fresh-${type}`);
    await expectSameAnswers(theirs, itsTokenizer, lines, answers);
    expect(Math.max(...answers.map(({ length }) => length))).toBeGreaterThan(20);
    await theirs.dispose();
  });
});

/** Greedy search by the exported files alone, as their inputs and outputs are named. */
async function greedy(
  place: string,
  source: Int32Array,
  { length, pad, padding, side }: { length: number; pad: number; padding: number; side: 'left' | 'right' },
) {
  const settings = JSON.parse(readFileSync(join(place, 'generation_config.json'), 'utf8')) as Record<string, number>;
  const [encoder, decoder] = await Promise.all(
    ['encoder_model', 'decoder_model_merged'].map((name) =>
      InferenceSession.create(join(place, 'onnx', `${name}.onnx`)),
    ),
  );
  const int64 = (values: readonly number[]) =>
    new OnnxTensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
  const fill = (value: number) => Array<number>(padding).fill(value);
  const padded = (values: readonly number[], value: number) =>
    int64(side === 'left' ? [...fill(value), ...values] : [...values, ...fill(value)]);
  const mask = padded(Array<number>(source.length).fill(1), 0);
  const { last_hidden_state: states } = await encoder!.run({
    input_ids: padded([...source], pad),
    attention_mask: mask,
  });
  const pasts = decoder!.inputMetadata.filter(({ name }) => name.startsWith('past'));
  // Optimum hands in one place of zeros at first, with the encoder's heads on both sides; nothing of it must count.
  const placeholder = new OnnxTensor('float32', new Float32Array(15).fill(7), [1, 3, 1, 5]);
  let caches: Record<string, OnnxValue> = Object.fromEntries(pasts.map(({ name }) => [name, placeholder]));
  const ids = [settings.decoder_start_token_id!];
  while (ids.length < length && (ids.length === 1 || ids.at(-1) !== settings.eos_token_id)) {
    const isFirst = ids.length === 1;
    const results = await decoder!.run({
      ...caches,
      input_ids: int64([ids.at(-1)!]),
      encoder_hidden_states: states!,
      encoder_attention_mask: mask,
      use_cache_branch: new OnnxTensor('bool', [!isFirst], [1]),
    });
    caches = Object.fromEntries(pasts.map(({ name }) => [name, results[name.replace('past_key_values', 'present')]!]));
    const logits = results.logits!.data as Float32Array;
    ids.push(logits.indexOf(logits.reduce((a, b) => Math.max(a, b))));
  }
  await Promise.all([encoder!.release(), decoder!.release()]);
  return ids;
}

it.each([
  ['bert', 'encoder-decoder/bert'],
  ['roberta', 'encoder-decoder/roberta'],
  ['distilbert', 'encoder-decoder/distilbert'],
  ['camembert', 'encoder-decoder/camembert'],
  ['electra', 'encoder-decoder/electra'],
  ['bert', 'encoder-decoder/bert2bert'],
  ['bart', 'bart/uneven'],
])('a %s (%s) in the bare engine gives the same greedy answers, with padding or without', async (type, place) => {
  const { model, name, lines, answers } = await exported(type, place);
  for (const [i, line] of lines.slice(0, 3).entries()) {
    const source = model.encoderTokenizer.encode(line);
    for (const padding of [0, 3]) {
      const options = { length: MAX_LENGTH, pad: model.encoderTokenizer.special.pad!, padding, side: 'right' as const };
      expect(await greedy(join(folder, name), source, options)).toEqual(answers[i]);
    }
  }
  model.dispose();
});

it.each([
  ['roberta', 'encoder-decoder/roberta', '<pad>'],
  ['camembert', 'encoder-decoder/camembert', '<pad>'],
])('a %s counts positions over real tokens, wherever padding stands', async (type, place, token) => {
  const { model, name } = await exported(type, place);
  const pad = model.encoderTokenizer.special.pad!;
  const lines = [`the cat${token}sat`, `${token}the cat sat on`, `a ${token} ${token} dog sat`];
  const answers = await model.predict(lines, { scores: true });
  for (const [i, line] of lines.entries()) {
    const source = model.encoderTokenizer.encode(line);
    expect([...source]).toContain(pad);
    for (const padding of [0, 3]) {
      const options = { length: MAX_LENGTH, pad, padding, side: 'left' as const };
      expect(await greedy(join(folder, name), source, options)).toEqual([...answers[i]![0]!.ids]);
    }
  }
  model.dispose();
});

describe('an export', () => {
  const load = (place: string, type = 'bart') =>
    Seq2SeqModel.load({ encoderDecoderType: type, encoderDecoderName: join(fixtures, place), args: { silent: true } });

  it('leaves a directory that has files alone, unless it may overwrite them', async () => {
    const model = await load('bart/base');
    const place = join(folder, 'twice');
    await model.exportOnnx(place);
    writeFileSync(join(place, 'note.txt'), 'mine');
    await expect(model.exportOnnx(place)).rejects.toThrow('exists and is not empty. Name another directory');
    await model.exportOnnx(place, { overwrite: true });
    expect(readFileSync(join(place, 'note.txt'), 'utf8')).toBe('mine');
    expect(readdirSync(join(place, 'onnx'))).toEqual(['decoder_model_merged.onnx', 'encoder_model.onnx']);
    model.dispose();
  });

  it('refuses languages that its tokenizer does not know', async () => {
    const model = await Seq2SeqModel.load({
      encoderDecoderType: 'mbart',
      encoderDecoderName: join(fixtures, 'translation/mbart'),
      args: { silent: true, srcLang: 'en_US' },
    });
    const place = join(folder, 'american');
    await expect(model.exportOnnx(place)).rejects.toThrow(
      'tokenizer: the language is "en_US", which is no language code of it. Did you mean "en_XX"?',
    );
    expect(existsSync(place)).toBe(false);
    model.dispose();
  });

  it('keeps the length of answers that a checkpoint says', async () => {
    const place = join(folder, 'long-answers');
    cpSync(join(fixtures, 'bart/base'), place, { recursive: true });
    changeJson(join(place, 'generation_config.json'), { max_length: 40 });
    const model = await Seq2SeqModel.load({
      encoderDecoderType: 'bart',
      encoderDecoderName: place,
      args: { silent: true, maxLength: 30 },
    });
    await model.exportOnnx(`${place}-onnx`);
    expect(readJson(join(`${place}-onnx`, 'generation_config.json'))).toMatchObject({ max_length: 40, min_length: 0 });
    model.dispose();
  });

  it('says in whose settings the target language stands', async () => {
    const model = await load('translation/mbart50', 'mbart50');
    const place = join(folder, 'german');
    const settings = () => JSON.parse(readFileSync(join(place, 'generation_config.json'), 'utf8')) as object;
    await model.exportOnnx(place);
    expect(settings()).toMatchObject({ forced_bos_token_id: model.decoderTokenizer.idOf(model.args.tgtLang) });
    model.dispose();
  });

  it('refuses tokenizers that a tokenizer.json cannot hold', () => {
    const separate = loadTokenizer(join(fixtures, 'tokenizers/marian/separate'), 'marian');
    expect(() => marianJson(separate)).toThrow('export: a Marian with separate vocabularies has no tokenizer.json');
  });
});
