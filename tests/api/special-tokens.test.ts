import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openWeights } from '../../src/checkpoints/index.js';
import { type LoadOptions, Seq2SeqModel } from '../../src/index.js';
import { fixture, linesOf, readJson, rowsOf, temporaryFolder } from '../support.js';

const bert = fileURLToPath(new URL('../fixtures/encoder-decoder/bert', import.meta.url));
const folder = temporaryFolder();

const load = (options: LoadOptions) =>
  Seq2SeqModel.load({ ...options, args: { silent: true, threads: 2, manualSeed: 1, ...options.args } });

function matrix(file: string, name: string): { rows: number; width: number; data: Float32Array } {
  const opened = openWeights(file);
  const weight = opened.weights.get(name)!;
  const [rows, width] = weight.shape as [number, number];
  const data = new Float32Array(rows * width);
  weight.read(data);
  opened.close();
  return { rows, width, data };
}

describe('additional special tokens', () => {
  it('of a BART get ids behind all others and embeddings near the mean; trained, saved and loaded again', async () => {
    const name = fixture('base');
    const before = await load({ encoderDecoderType: 'bart', encoderDecoderName: name });
    const answers = await before.predict(linesOf('base'));
    const size = before.encoderTokenizer.vocabSize;
    before.dispose();

    const model = await load({
      encoderDecoderType: 'bart',
      encoderDecoderName: name,
      additionalSpecialTokensEncoder: ['<to>', '<from>'],
      additionalSpecialTokensDecoder: { additional_special_tokens: ['<now>'] },
      args: { saveModelEveryEpoch: false, saveSteps: -1 },
    });
    const { encoderTokenizer: tokenizer } = model;
    expect(model.decoderTokenizer).toBe(tokenizer);
    expect(['<to>', '<from>', '<now>'].map((token) => tokenizer.idOf(token))).toEqual([size, size + 1, size + 2]);
    expect([...tokenizer.encode('<to>a<now>')]).toContain(size);
    // New tokens are as likely as the mean: they change no answer of a wide random model.
    expect(await model.predict(linesOf('base'))).toEqual(answers);

    const saved = join(folder, 'bart');
    await model.saveModel(saved);
    expect(readJson(join(saved, 'config.json')).vocab_size).toBe(size + 3);
    const old = matrix(join(name, 'model.safetensors'), 'model.shared.weight');
    const grown = matrix(join(saved, 'model.safetensors'), 'model.shared.weight');
    expect(grown.rows).toBe(size + 3);
    expect(grown.data.subarray(0, old.data.length)).toEqual(old.data);
    for (let column = 0; column < old.width; column++) {
      let mean = 0;
      for (let row = 0; row < old.rows; row++) mean += old.data[row * old.width + column]! / old.rows;
      expect(Math.abs(grown.data[size * grown.width + column]! - mean)).toBeLessThan(1e-3);
    }

    const rows = rowsOf('base', 'train').map((row) => ({ ...row, input_text: `<to>${row.input_text}` }));
    await model.trainModel(rows, { outputDir: join(folder, 'bart-trained') });
    const trained = await model.predict(['<to>a']);
    const again = await load({ encoderDecoderType: 'bart', encoderDecoderName: join(folder, 'bart-trained') });
    expect(again.encoderTokenizer.idOf('<from>')).toBe(size + 1);
    expect(await again.predict(['<to>a'])).toEqual(trained);
    model.dispose();
    again.dispose();
  });

  it('of an encoder-decoder go to the side they are meant for', async () => {
    const model = await load({
      encoderType: 'bert',
      encoderDecoderName: bert,
      additionalSpecialTokensEncoder: ['[TASK]'],
      additionalSpecialTokensDecoder: ['[ANSWER]', '[DONE]'],
    });
    const { encoderTokenizer, decoderTokenizer } = model;
    expect([encoderTokenizer.idOf('[TASK]'), encoderTokenizer.idOf('[ANSWER]')]).toEqual([97, undefined]);
    expect([decoderTokenizer.idOf('[ANSWER]'), decoderTokenizer.idOf('[DONE]')]).toEqual([97, 98]);
    const saved = join(folder, 'bert');
    await model.saveModel(saved);
    const vocabSize = (half: string) => readJson(join(saved, half, 'config.json')).vocab_size;
    expect([vocabSize('encoder'), vocabSize('decoder')]).toEqual([98, 99]);
    const again = await load({ encoderType: 'bert', encoderDecoderName: saved });
    const texts = ['[TASK] one two', 'three'];
    expect(await again.predict(texts)).toEqual(await model.predict(texts));
    model.dispose();
    again.dispose();
  });
});
