import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createWordPiece, type LoadOptions, Seq2SeqModel } from '../../src/index.js';
import { changeJson, readJson, temporaryFolder } from '../support.js';

const bert = fileURLToPath(new URL('../fixtures/encoder-decoder/bert', import.meta.url));
const projected = fileURLToPath(new URL('../fixtures/encoder-decoder/projected', import.meta.url));
const half = (name: 'encoder' | 'decoder') => join(bert, name);
const folder = temporaryFolder();
const texts = ['one two three', 'a house', ''];

const load = (options: LoadOptions) =>
  Seq2SeqModel.load({ ...options, args: { silent: true, threads: 2, ...options.args } });

/** A BERT alone as both halves: its cross-attention and head start fresh. */
const plain = { encoderType: 'bert', encoderName: half('encoder'), decoderName: half('encoder') };

afterEach(() => vi.restoreAllMocks());

describe('an encoder and a decoder by names of their own', () => {
  it('are the model that they are in one directory', async () => {
    const model = await load({ encoderType: 'bert', encoderName: half('encoder'), decoderName: half('decoder') });
    const same = await load({ encoderType: 'bert', encoderDecoderName: bert });
    const answers = await model.predict(texts);
    expect(answers).toEqual(await same.predict(texts));
    expect(model.args).toMatchObject({ modelType: 'bert', modelName: `${half('encoder')}-${half('decoder')}` });
    expect(model.encoderTokenizer).not.toBe(model.decoderTokenizer);

    const saved = join(folder, 'saved');
    await model.saveModel(saved);
    const again = await load({ encoderType: 'bert', encoderDecoderName: saved });
    expect(await again.predict(texts)).toEqual(answers);
    expect(readJson(join(saved, 'decoder', 'config.json'))).toMatchObject({
      architectures: ['BertLMHeadModel'],
      is_decoder: true,
      add_cross_attention: true,
      decoder_start_token_id: 2,
      eos_token_id: 3,
    });
    for (const each of [model, same, again]) each.dispose();
  });

  it('start with fresh weights where the decoder is a plain BERT, by the seed, and list them in one message', async () => {
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const fresh = (manualSeed: number) => load({ ...plain, args: { manualSeed, silent: false } });
    const models = [await fresh(1), await fresh(1), await fresh(2)];
    const messages = stderr.mock.calls.map(([text]) => String(text)).filter((text) => text.startsWith('model: '));
    expect(messages).toHaveLength(3);
    expect(messages[0]).toMatch(
      /^model: 25 weights that the checkpoint does not have start fresh, from seed 1; train before you predict: .*decoder\.bert\.encoder\.layer\.0…1\.crossattention\.self\.query\.weight, .*decoder\.cls\.predictions\.bias/,
    );
    const bytes: Buffer[] = [];
    for (const [i, model] of models.entries()) {
      await model.saveModel(join(folder, `fresh-${i}`));
      bytes.push(readFileSync(join(folder, `fresh-${i}`, 'decoder', 'model.safetensors')));
      model.dispose();
    }
    expect(bytes[0]!.equals(bytes[1]!)).toBe(true);
    expect(bytes[0]!.equals(bytes[2]!)).toBe(false);
  });

  it('must be of one size', async () => {
    const narrow = join(folder, 'narrow');
    cpSync(half('encoder'), narrow, { recursive: true });
    changeJson(join(narrow, 'config.json'), { hidden_size: 8 });
    await expect(load({ ...plain, decoderName: narrow })).rejects.toThrow(
      "model: the encoder is 16 wide (hidden_size) and the decoder 8: the decoder's cross-attention cannot look at it. " +
        'Choose two of the same size.',
    );
  });

  it('must both be there', async () => {
    const lonely = join(folder, 'lonely');
    cpSync(half('encoder'), join(lonely, 'encoder'), { recursive: true });
    await expect(load({ encoderType: 'bert', encoderDecoderName: lonely })).rejects.toThrow(
      `checkpoint: ${lonely} has no decoder/config.json.`,
    );
  });
});

describe('a directory of Simple Transformers', () => {
  it('loads with the options that it was saved with, by the type that it records, too', async () => {
    const directory = join(folder, 'python');
    cpSync(bert, directory, { recursive: true });
    const args = { model_class: 'Seq2SeqModel', model_type: 'bert-bert', max_length: 9, num_beams: 2, fp16: true };
    writeFileSync(join(directory, 'model_args.json'), JSON.stringify(args));
    for (const type of [{ encoderType: 'bert' }, { encoderDecoderType: 'bert' }, { encoderDecoderType: 'bert-bert' }]) {
      const model = await load({ ...type, encoderDecoderName: directory });
      expect(model.args).toMatchObject({ maxLength: 9, numBeams: 2, modelType: 'bert' });
      model.dispose();
    }
  });
});

describe('a model in one file with halves of different sizes', () => {
  it('keeps its projection and both tokenizers when it is saved', async () => {
    const tokenizers = join(folder, 'tokenizers');
    const words = [...'abcdefghijklmnopqrstuvwxyz'].flatMap((letter) => [letter, `##${letter}`]);
    for (const [side, count] of [
      ['encoder', 35],
      ['decoder', 34],
    ] as const) {
      const vocab = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...words.slice(0, count)];
      mkdirSync(join(tokenizers, side), { recursive: true });
      for (const [name, content] of createWordPiece({ vocab }).files())
        writeFileSync(join(tokenizers, side, name), content);
    }
    const model = await load({
      encoderType: 'bert',
      encoderDecoderName: projected,
      args: { tokenizerName: tokenizers, maxLength: 8 },
    });
    const answers = await model.predict(texts);
    const saved = join(folder, 'projected');
    await model.saveModel(saved);
    const again = await load({ encoderType: 'bert', encoderDecoderName: saved, args: { maxLength: 8 } });
    expect(await again.predict(texts)).toEqual(answers);
    const read = (directory: string) => readJson(join(directory, 'config.json')).encoder;
    expect(read(saved)).toEqual(read(projected));
    expect([again.encoderTokenizer.vocabSize, again.decoderTokenizer.vocabSize]).toEqual([40, 39]);
    model.dispose();
    again.dispose();
  });
});
