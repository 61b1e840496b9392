import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openWeights } from '../../src/checkpoints/index.js';
import { type Seq2SeqArgsInput, Seq2SeqModel } from '../../src/index.js';
import { runIn } from '../cli/program.js';
import { changeJson, copyOf, fixture, linesOf, loadBart, readJson, rowsOf, temporaryFolder } from '../support.js';

const fixtures = new URL('../fixtures/', import.meta.url).pathname;
const folder = temporaryFolder();

function load(type: string, directory: string, args: Seq2SeqArgsInput = {}): Promise<Seq2SeqModel> {
  return Seq2SeqModel.load({
    encoderDecoderType: type,
    encoderDecoderName: directory,
    args: { silent: true, threads: 1, maxLength: 16, ...args },
  });
}

const sizeOf = (directory: string): number =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.safetensors'))
    .reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

describe.each([
  ['bart', 'bart/base'],
  ['bart', 'bart/uneven'],
  ['marian', 'translation/marian'],
  ['mbart', 'translation/mbart'],
  ['mbart50', 'translation/mbart50'],
  ['bert', 'encoder-decoder/bert'],
  ['roberta', 'encoder-decoder/roberta'],
  ['electra', 'encoder-decoder/electra'],
  ['bert', 'encoder-decoder/bert2bert'],
])('a %s (%s)', (type, place) => {
  const directory = join(fixtures, place);
  const lines = readFileSync(join(directory, 'input.txt'), 'utf8').replace(/\n$/, '').split('\n');

  it.each([8, 4] as const)('in %i bits is saved, loaded and saved again, and answers the same', async (bits) => {
    const whole = await load(type, directory);
    const saved = join(folder, `${place.replaceAll('/', '-')}-${bits}`);
    await whole.saveQuantized(saved, { bits });
    const quantized = await load(type, saved);
    expect(quantized.parameterCount).toBe(whole.parameterCount);
    const answers = await quantized.predict(lines, { scores: true });
    if (bits === 8) {
      const dynamic = await load(type, directory, { dynamicQuantize: true });
      expect(await dynamic.predict(lines, { scores: true })).toEqual(answers);
      dynamic.dispose();
    }
    await quantized.saveModel(`${saved}-again`);
    const again = await load(type, `${saved}-again`, { quantizedModel: true });
    expect(await again.predict(lines, { scores: true })).toEqual(answers);
    expect(sizeOf(`${saved}-again`)).toBe(sizeOf(saved));
    for (const model of [whole, quantized, again]) model.dispose();
  });

  it('loses little of what it knows in 8 bits, and not all in 4', async () => {
    const evalData = join(directory, 'eval.tsv');
    const lossOf = async (directory: string) => {
      const model = await load(type, directory);
      const { eval_loss } = await model.evalModel(evalData, { outputDir: join(folder, 'eval') });
      model.dispose();
      return eval_loss;
    };
    const name = place.replaceAll('/', '-');
    const loss = await lossOf(directory);
    expect(Math.abs((await lossOf(join(folder, `${name}-8`))) / loss - 1)).toBeLessThan(0.01);
    expect(Math.abs((await lossOf(join(folder, `${name}-4`))) / loss - 1)).toBeLessThan(0.1);
  });
});

const base = join(folder, 'bart-base-8');

describe('a quantized BART', () => {
  it('keeps matrices in bytes, with scales, and says so in its config', async () => {
    const { weights, close } = openWeights(join(base, 'model.safetensors'));
    expect(weights.get('model.shared.weight')!.dtype).toBe('uint8');
    expect(weights.get('model.shared.weight.scales')).toMatchObject({ dtype: 'float32' });
    expect(weights.get('model.encoder.layers.0.fc1.bias')!.dtype).toBe('float32');
    expect(weights.get('model.encoder.embed_positions.weight')!.dtype).toBe('float32');
    close();
    expect(readJson(join(base, 'config.json')).quantization_config).toEqual({
      quant_method: 'simple-seq2seq',
      bits: 8,
    });
  });

  it.each<[string, Seq2SeqArgsInput]>([
    ['greedy', {}],
    ['of beams', { numBeams: 4 }],
  ])('has the same answers whatever the batch: %s', async (_, args) => {
    const texts = [...linesOf('base'), ...linesOf('base').map((line) => `${line} ${line}`)];
    const answers = async (evalBatchSize: number) => {
      const model = await load('bart', base, { ...args, evalBatchSize });
      const found = await model.predict(texts);
      model.dispose();
      return found;
    };
    expect(await answers(64)).toEqual(await answers(1));
  });

  it('is not trained, not quantized again, not exported, and takes no further tokens', async () => {
    const model = await loadBart(base);
    await expect(model.trainModel(rowsOf('base', 'train'))).rejects.toThrow(
      'model: it is quantized, and learns no more.',
    );
    await expect(model.saveQuantized(join(folder, 'x'))).rejects.toThrow('quantize: the model is quantized already.');
    await expect(model.exportOnnx(join(folder, 'x'))).rejects.toThrow('export: the model is quantized.');
    model.dispose();
    await expect(loadBart(base, { additionalSpecialTokensEncoder: ['<new>'] })).rejects.toThrow(
      'model: a quantized model takes no further tokens.',
    );
  });
});

describe('is refused:', () => {
  it('what cannot be meant', async () => {
    const model = await loadBart(fixture('base'));
    await expect(model.saveQuantized(join(folder, 'x'), { bits: 3 as 4 })).rejects.toThrow(
      'bits is 3; it must be 4 or 8',
    );
    await expect(model.saveQuantized(base)).rejects.toThrow('exists and is not empty');
    model.dispose();
    await expect(loadBart(fixture('base'), { args: { quantizedModel: true } })).rejects.toThrow(
      /^args: quantizedModel is set, but .* is not quantized/,
    );
  });

  const damaged = (name: string, damage: (directory: string) => void) => {
    const directory = join(folder, name);
    cpSync(base, directory, { recursive: true });
    damage(directory);
    return expect(loadBart(directory)).rejects;
  };

  it('a damaged directory', async () => {
    const config = (directory: string) => join(directory, 'config.json');
    await damaged('plain', (at) => changeJson(config(at), { quantization_config: undefined })).toThrow(
      'holds whole numbers of 8 bits, but config.json has no quantization_config',
    );
    await damaged('foreign', (at) => changeJson(config(at), { quantization_config: { quant_method: 'gptq' } })).toThrow(
      'config.json: the model is quantized by gptq, which is not supported',
    );
    await damaged('three', (at) =>
      changeJson(config(at), { quantization_config: { quant_method: 'simple-seq2seq', bits: 3 } }),
    ).toThrow('quantization_config.bits is 3');
    await damaged('other bits', (at) =>
      changeJson(config(at), { quantization_config: { quant_method: 'simple-seq2seq', bits: 4 } }),
    ).toThrow(/of the quantized bart is uint8 .*; it must be uint8 .* Quantize the model again\./);
    await damaged('whole', (at) => cpSync(fixture('base', 'model.safetensors'), join(at, 'model.safetensors'))).toThrow(
      /of the quantized bart is float32 .*; it must be uint8/,
    );
    await damaged('not a number', (at) => {
      const file = join(at, 'model.safetensors');
      const bytes = readFileSync(file);
      const start = 8 + Number(bytes.readBigUInt64LE());
      const header = JSON.parse(bytes.subarray(8, start).toString()) as Record<string, { data_offsets: number[] }>;
      bytes.writeFloatLE(Number.NaN, start + header['model.shared.weight.scales']!.data_offsets[0]!);
      writeFileSync(file, bytes);
    }).toThrow('model.shared.weight.scales');
  });
});

describe('seq2seq quantize', () => {
  it('writes a directory that predict takes', () => {
    const model = copyOf('base', join(folder, 'model'));
    expect(runIn(folder, ['quantize', model, '--output', 'small', '--bits', '4'])).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
    const predict = (name: string) =>
      runIn(folder, ['predict', '--encoder-decoder-type', 'bart', '--encoder-decoder-name', name, '--silent'], {
        input: 'a\n',
      });
    expect(predict('small')).toMatchObject({ status: 0, stderr: '' });
    expect(sizeOf(join(folder, 'small'))).toBeLessThan(0.5 * sizeOf(model));
  });

  it.each([
    [['quantize', 'model', '--output', 'small'], 1, 'quantize: small exists and is not empty.'],
    [['quantize', 'small', '--output', 'smaller'], 1, 'quantize: the model is quantized already.'],
    [['quantize', 'model', '--output', 'o', '--bits', '3'], 2, 'Allowed choices are 8, 4.'],
    [['quantize', 'model'], 2, 'quantize: where to? Give --output DIR.'],
  ])('%j is refused', (args, status, message) => {
    const result = runIn(folder, args);
    expect(result.stderr).toContain(message);
    expect(result.status).toBe(status);
  });
});
