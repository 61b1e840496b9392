import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AutoModelForSeq2SeqLM,
  AutoTokenizer,
  env,
  type PreTrainedModel,
  type Tensor,
} from '@huggingface/transformers';
import { InferenceSession, Tensor as OnnxTensor, type OnnxValue } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Seq2SeqArgsInput, Seq2SeqModel } from '../../src/index.js';
import { loadTokenizer, marianJson } from '../../src/tokenizers/index.js';
import { temporaryFolder } from '../support.js';

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
  const name = place.replaceAll('/', '-');
  await model.exportOnnx(join(folder, name));
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
])('a %s (%s) in transformers.js', (type, place, args) => {
  let ours: Awaited<ReturnType<typeof exported>>;
  let theirs: PreTrainedModel;
  let tokenizer: Awaited<ReturnType<typeof AutoTokenizer.from_pretrained>>;
  beforeAll(async () => {
    ours = await exported(type, place, args);
    [theirs, tokenizer] = await Promise.all([
      AutoModelForSeq2SeqLM.from_pretrained(ours.name, { dtype: 'fp32' }),
      AutoTokenizer.from_pretrained(ours.name),
    ]);
  });
  afterAll(async () => {
    ours.model.dispose();
    await theirs.dispose();
  });

  const generated = async (lines: readonly string[]) => {
    const inputs = tokenizer([...lines], { padding: true });
    const output = (await theirs.generate({ ...inputs, max_length: MAX_LENGTH })) as Tensor;
    return (output.tolist() as (bigint | number)[][]).map((ids) => ids.map(Number));
  };

  it('has the same tokens', () => {
    const { model, lines } = ours;
    for (const line of lines) {
      // Its mBART puts the source's language around texts only in its translation pipeline.
      const options = { addSpecialTokens: !type.startsWith('mbart') };
      const ids = tokenizer(line, { add_special_tokens: options.addSpecialTokens, return_tensor: false }).input_ids;
      expect([...ids].map(Number)).toEqual([...model.encoderTokenizer.encode(line, options)]);
    }
  });

  it('gives the same greedy answers, alone and in a padded batch', async () => {
    const { lines, answers } = ours;
    const together = await generated(lines);
    // Behind its end an answer goes on there until all have ended.
    for (const [i, answer] of answers.entries()) expect(together[i]!.slice(0, answer.length)).toEqual(answer);
    for (const i of [1, 3]) expect(await generated([lines[i]!])).toEqual([answers[i]]);
    expect(new Set(answers.map((answer) => answer.length)).size).toBeGreaterThan(1);
  });
});

/** Greedy search by the exported files alone, as their inputs and outputs are named. */
async function greedy(place: string, source: Int32Array, { length, padTo }: { length: number; padTo: number }) {
  const settings = JSON.parse(readFileSync(join(place, 'generation_config.json'), 'utf8')) as Record<string, number>;
  const [encoder, decoder] = await Promise.all(
    ['encoder_model', 'decoder_model_merged'].map((name) =>
      InferenceSession.create(join(place, 'onnx', `${name}.onnx`)),
    ),
  );
  const int64 = (values: readonly number[]) =>
    new OnnxTensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
  const pad = Array<number>(padTo - source.length).fill(settings.pad_token_id!);
  const mask = int64([...source].map(() => 1).concat(pad.map(() => 0)));
  const { last_hidden_state: states } = await encoder!.run({
    input_ids: int64([...source, ...pad]),
    attention_mask: mask,
  });
  const pasts = decoder!.inputMetadata.filter(({ name }) => name.startsWith('past'));
  let caches: Record<string, OnnxValue> = Object.fromEntries(
    pasts.map((each) => {
      // Optimum hands in one place of zeros at first, whose values must not count.
      const [, heads, , size] = (each.isTensor ? each.shape : []).map((dim) => (typeof dim === 'number' ? dim : 2));
      const placeholder = new Float32Array(heads! * size!).fill(7);
      return [each.name, new OnnxTensor('float32', placeholder, [1, heads!, 1, size!])];
    }),
  );
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
])('a %s (%s) gives the same greedy answers, with padding or without', async (type, place) => {
  const { model, name, lines, answers } = await exported(type, place);
  for (const [i, line] of lines.slice(0, 3).entries()) {
    const source = model.encoderTokenizer.encode(line);
    for (const padTo of [source.length, source.length + 3]) {
      expect(await greedy(join(folder, name), source, { length: MAX_LENGTH, padTo })).toEqual(answers[i]);
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
