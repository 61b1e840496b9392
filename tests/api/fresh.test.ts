import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadTokenizer, Seq2SeqModel } from '../../src/index.js';
import { fixture, linesOf, loadBart, readJson, rowsOf, temporaryFolder } from '../support.js';

const folder = temporaryFolder();
const config = {
  d_model: 64,
  vocab_size: 300,
  max_position_embeddings: 40,
  encoder_layers: 2,
  decoder_layers: 3,
  encoder_attention_heads: 4,
  decoder_attention_heads: 2,
  encoder_ffn_dim: 128,
  decoder_ffn_dim: 96,
  init_std: 0.05,
  pad_token_id: 1,
};

/** The arrays of a safetensors file. */
function weightsIn(directory: string): Map<string, { shape: number[]; data: Float32Array }> {
  const bytes = readFileSync(join(directory, 'model.safetensors'));
  const start = 8 + Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<
    string,
    { shape: number[]; data_offsets: [number, number] }
  >;
  const arrays = Object.entries(header).filter(([name]) => name !== '__metadata__');
  return new Map(
    arrays.map(
      ([
        name,
        {
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        const data = new Float32Array(new Uint8Array(bytes.subarray(start + from, start + to)).buffer);
        return [name, { shape, data }];
      },
    ),
  );
}

async function freshInto(name: string, manualSeed: number) {
  const directory = join(folder, name);
  const args = { tokenizerName: fixture('base'), manualSeed, silent: true };
  const model = await Seq2SeqModel.load({ encoderDecoderType: 'bart', config, args });
  await model.saveModel(directory);
  return { model, directory };
}

describe('a model from a config alone', () => {
  it('starts with the weights that Transformers would draw', async () => {
    const { model, directory } = await freshInto('drawn', 1);
    const weights = weightsIn(directory);
    const matrices = [...weights].filter(([name]) => name.endsWith('.weight') && !/layer_?norm/.test(name));
    expect(matrices).toHaveLength(3 + 2 * 6 + 3 * 10);
    for (const [name, { data }] of matrices) {
      const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
      const variance = data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length;
      // Standard errors of both, of `length` normal numbers; the row of padding lowers the deviation by 1/600.
      expect(Math.abs(mean) / (0.05 / Math.sqrt(data.length)), `mean of ${name}`).toBeLessThan(5);
      expect(Math.abs(Math.sqrt(variance) / 0.05 - 1), `deviation of ${name}`).toBeLessThan(
        5 / Math.sqrt(2 * data.length),
      );
      const far = data.reduce((count, x) => count + Number(Math.abs(x - mean) > 0.1), 0) / data.length;
      expect(far, `beyond two deviations in ${name}`).toBeGreaterThan(0.035);
      expect(far, `beyond two deviations in ${name}`).toBeLessThan(0.056);
    }
    const shared = weights.get('model.shared.weight')!;
    expect(shared.shape).toEqual([300, 64]);
    expect(new Set(shared.data.subarray(64, 128))).toEqual(new Set([0]));
    expect(new Set(shared.data.subarray(0, 64)).size).toBe(64);
    const others = [...weights].filter(([name]) => !matrices.some(([matrix]) => matrix === name));
    for (const [name, { data }] of others) {
      expect(new Set(data), name).toEqual(new Set([/norm.*\.weight$/.test(name) ? 1 : 0]));
    }
    expect(weights.get('model.encoder.embed_positions.weight')!.shape).toEqual([42, 64]);

    expect(model.parameterCount).toBe(
      [...weights].reduce((sum, [name, { data }]) => sum + (name === 'final_logits_bias' ? 0 : data.length), 0),
    );
    model.dispose();
  });

  it('is that of its seed', async () => {
    const [first, same, other] = [await freshInto('a', 3), await freshInto('b', 3), await freshInto('c', 4)];
    const bytes = ({ directory }: { directory: string }) => readFileSync(join(directory, 'model.safetensors'));
    expect(bytes(same).equals(bytes(first))).toBe(true);
    expect(bytes(other).equals(bytes(first))).toBe(false);
    for (const { model } of [first, same, other]) model.dispose();
  });

  it('trains, answers and is loaded again', async () => {
    const tokenizer = loadTokenizer(fixture('base'), 'bart');
    const model = await Seq2SeqModel.load({
      encoderDecoderType: 'bart',
      config,
      tokenizer,
      args: { silent: true, manualSeed: 1, learningRate: 0.003, numTrainEpochs: 60, saveModelEveryEpoch: false },
    });
    const rows = rowsOf('base', 'train');
    const directory = join(folder, 'trained');
    await model.trainModel(rows, { outputDir: directory });
    const answers = await model.predict(rows.map((row) => row.input_text));
    expect(answers).toEqual(rows.map((row) => row.target_text));
    model.dispose();

    expect(readJson(join(directory, 'config.json'))).toMatchObject({
      ...config,
      model_type: 'bart',
      architectures: ['BartForConditionalGeneration'],
      decoder_start_token_id: 2,
      forced_eos_token_id: 2,
    });
    const again = await loadBart(directory);
    expect(await again.predict(rows.map((row) => row.input_text))).toEqual(answers);
    expect(await again.predict(linesOf('base'))).toHaveLength(8);
    again.dispose();
  });

  it('needs a tokenizer that fits', async () => {
    const load = (changes: object, args = {}) =>
      Seq2SeqModel.load({ encoderDecoderType: 'bart', config: { ...config, ...changes }, args });
    await expect(load({})).rejects.toThrow(
      'model: a fresh model needs a tokenizer. Set tokenizerName to a directory, such as',
    );
    await expect(load({}, { tokenizerName: folder })).rejects.toThrow(/^tokenizer: /);
    await expect(load({ vocab_size: 295 }, { tokenizerName: fixture('base') })).rejects.toThrow(
      'tokenizer: it has 296 tokens, but the model has embeddings for 295.',
    );
    await expect(load({ d_model: undefined }, { tokenizerName: fixture('base') })).rejects.toThrow(
      'config.json: "d_model" is missing.',
    );
    await expect(load({ d_model: 66 }, { tokenizerName: fixture('base') })).rejects.toThrow(
      'config.json: d_model 66 is not divisible by encoder_attention_heads 4.',
    );
  });
});
