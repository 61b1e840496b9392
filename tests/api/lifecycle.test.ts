import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Seq2SeqModel } from '../../src/index.js';
import { fixture, linesOf, loadBart, readJson, rowsOf, temporaryFolder } from '../support.js';

const folder = temporaryFolder();
const generic = (...path: string[]) =>
  fileURLToPath(new URL(['../fixtures/encoder-decoder', ...path].join('/'), import.meta.url));
const lines = linesOf('uneven');

describe('a model', () => {
  it('is loaded, evaluated, asked, trained, saved and loaded again', async () => {
    const outputDir = join(folder, 'trained');
    const model = await loadBart(fixture('uneven'), {
      args: { learningRate: 0.01, numTrainEpochs: 10, manualSeed: 1, saveModelEveryEpoch: false, outputDir },
    });
    const before = await model.evalModel(fixture('uneven', 'train.tsv'), { outputDir: join(folder, 'before') });
    const answersBefore = await model.predict(lines);
    expect(answersBefore).toHaveLength(lines.length);

    const { globalStep, trainingLoss } = await model.trainModel(fixture('uneven', 'train.tsv'));
    expect(globalStep).toBe(10);
    expect(trainingLoss).toBeLessThan(before.eval_loss);

    const after = await model.evalModel(rowsOf('uneven', 'train'));
    expect(after.eval_loss).toBeLessThan(before.eval_loss / 2);
    expect(readFileSync(join(outputDir, 'eval_results.txt'), 'utf8')).toBe(`eval_loss = ${after.eval_loss}\n`);
    const answers = await model.predict(lines);
    expect(answers).not.toEqual(answersBefore);
    model.dispose();

    const again = await loadBart(outputDir);
    expect(await again.predict(lines)).toEqual(answers);
    expect(await again.evalModel(rowsOf('uneven', 'train'), { outputDir: folder })).toEqual(after);
    // Options are kept with the model; those given at loading come first.
    expect(again.args).toMatchObject({ learningRate: 0.01, manualSeed: 1, threads: 2, modelName: outputDir });

    const copy = join(folder, 'copy');
    await again.saveModel(copy);
    const bytes = (directory: string) => readFileSync(join(directory, 'model.safetensors'));
    expect(bytes(copy).equals(bytes(outputDir))).toBe(true);
    again.dispose();
  });

  it('is saved untouched where nothing was trained', async () => {
    const model = await loadBart(fixture('base'));
    const target = join(folder, 'untouched');
    await model.saveModel(target);
    model.dispose();
    const values = (file: string) => {
      const bytes = readFileSync(file);
      const start = 8 + Number(bytes.readBigUInt64LE());
      const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<string, { data_offsets: [number, number] }>;
      const entries = Object.entries(header).filter(([name]) => name !== '__metadata__');
      return new Map(
        entries.map(
          ([
            name,
            {
              data_offsets: [from, to],
            },
          ]) => [name, bytes.toString('hex', start + from, start + to)],
        ),
      );
    };
    const [saved, original] = [target, fixture('base')].map((directory) =>
      values(join(directory, 'model.safetensors')),
    );
    for (const [name, hex] of original!) expect(saved!.get(name), name).toBe(hex);
    // The file may have the bias that the library leaves out where it is zero.
    expect([...saved!.keys()].filter((name) => !original!.has(name) && name !== 'final_logits_bias')).toEqual([]);
    expect(readJson(join(target, 'config.json'))).toEqual(readJson(join(fixture('base'), 'config.json')));
    expect(existsSync(join(target, 'model_args.json'))).toBe(true);
  });

  it('leaves its cleaned-up state usable: training, predicting and training in turn', async () => {
    const model = await loadBart(fixture('base'), { args: { noSave: true, learningRate: 0.01, manualSeed: 3 } });
    const answers = [];
    for (const part of ['a', 'b']) {
      answers.push(await model.predict(['snow', 'tea']));
      await model.trainModel(rowsOf('base', 'train'), { outputDir: join(folder, part) });
    }
    answers.push(await model.predict(['snow', 'tea']));
    expect(answers).toHaveLength(3);
    expect(existsSync(join(folder, 'b', 'model.safetensors'))).toBe(false);
    model.dispose();
  });

  it('does one thing at a time while its weights change, and many while they rest', async () => {
    const model = await loadBart(fixture('base'), { args: { numTrainEpochs: 20, noSave: true, learningRate: 0.01 } });
    const answers = await model.predict(lines);
    expect(await Promise.all([model.predict(lines), model.predict(lines)])).toEqual([answers, answers]);

    const training = model.trainModel(rowsOf('base', 'train'), { outputDir: join(folder, 'busy') });
    const busy = 'model: it is being trained. Wait until trainModel is done.';
    await expect(model.predict(['snow'])).rejects.toThrow(busy);
    await expect(model.evalModel(rowsOf('base', 'eval'))).rejects.toThrow(busy);
    await expect(model.saveModel(join(folder, 'busy-copy'))).rejects.toThrow(busy);
    await expect(model.trainModel(rowsOf('base', 'train'), { outputDir: join(folder, 'twice') })).rejects.toThrow(busy);
    await training;
    expect(await model.predict(lines)).not.toEqual(answers);
    model.dispose();
  });

  it('stops between two steps when told to', async () => {
    const model = await loadBart(fixture('base'), { args: { numTrainEpochs: 1000, noSave: true } });
    const controller = new AbortController();
    const training = model.trainModel(rowsOf('base', 'train'), {
      outputDir: join(folder, 'stopped'),
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await expect(training).rejects.toThrow('enough');
    const { signal } = controller;
    await expect(model.predict(['snow'], { signal })).rejects.toThrow('enough');
    await expect(model.evalModel(rowsOf('base', 'eval'), { outputDir: folder, signal })).rejects.toThrow('enough');
    expect(await model.predict(['snow'])).toHaveLength(1);
    model.dispose();
  });
});

describe('loading', () => {
  it('overrides values of config.json', async () => {
    const model = await loadBart(fixture('base'), {
      config: { dropout: 0.4 },
      args: { config: { activation_dropout: 0.3 } },
    });
    await model.saveModel(join(folder, 'overridden'));
    expect(readJson(join(folder, 'overridden', 'config.json'))).toMatchObject({
      dropout: 0.4,
      activation_dropout: 0.3,
    });
    model.dispose();
  });

  it('and every method refuse names that they do not have', async () => {
    const refusal = (call: unknown) => expect(call).rejects;
    await refusal(Seq2SeqModel.load({ encoderDecoderTyp: 'bart' } as object)).toThrow(
      'load: there is no "encoderDecoderTyp". Did you mean "encoderDecoderType"?',
    );
    await refusal(Seq2SeqModel.load('bart' as never)).toThrow(
      'load: its settings are an object of names and values, not bart.',
    );
    const model = await loadBart(fixture('base'));
    const settings = { outputdir: folder };
    await refusal(model.trainModel([], settings as object)).toThrow('Did you mean "outputDir"?');
    await refusal(model.evalModel([], settings as object)).toThrow('Did you mean "outputDir"?');
    await refusal(model.predict([], { maxLength: 5 } as object)).toThrow('predict: there is no "maxLength".');
    await refusal(model.predict([], null as never)).toThrow('predict: its settings are an object');
    model.dispose();
  });

  it.each([
    [{}, 'model: no type is given. Give encoderDecoderType with encoderDecoderName, or encoderType with encoderName'],
    [{ encoderDecoderName: 'x' }, 'model: no type is given.'],
    [{ encoderDecoderType: 'bart' }, 'model: no name and no config is given.'],
    [{ encoderType: 'bert', encoderName: 'a' }, 'model: decoderName is missing.'],
    [{ encoderType: 'bert', decoderName: 'a' }, 'model: encoderName is missing.'],
    [
      { encoderType: 'bart', encoderName: 'a', decoderName: 'b' },
      'model: a bart is no encoder of its own. Give it as encoderDecoderType, with encoderDecoderName.',
    ],
    [{ encoderDecoderType: 'mbart', encoderName: 'a', decoderName: 'b' }, 'model: a mbart has one name.'],
    [
      { encoderType: 'bert', encoderDecoderName: 'a', decoderName: 'b' },
      'model: encoderDecoderName comes with a decoderName.',
    ],
    [{ encoderDecoderType: 'rag-token', config: { n_docs: 2 } }, 'model: a rag-token is loaded, not started fresh.'],
    [
      { encoderDecoderType: 'brat', encoderDecoderName: 'a' },
      'model: there is no model type "brat". Did you mean bart?',
    ],
    [
      { encoderDecoderType: 'bert', encoderDecoderName: generic('bert', 'encoder') },
      `model: ${generic('bert', 'encoder')} holds a bert, which is an encoder alone. Give it as encoderName, with encoderType bert`,
    ],
    [
      { encoderType: 'roberta', encoderDecoderName: generic('bert') },
      `model: ${generic('bert')} holds a bert, not a roberta. Give bert as its type.`,
    ],
    [
      { encoderType: 'camembert', encoderName: generic('roberta', 'encoder'), decoderName: generic('bert', 'encoder') },
      `model: ${generic('roberta', 'encoder')} holds a roberta, not a camembert. Give roberta as its type.`,
    ],
    [
      { encoderType: 'bert', encoderName: generic('bert', 'encoder'), decoderName: generic('roberta', 'encoder') },
      'config.json: decoder.model_type "roberta" is not supported; supported are: bert.',
    ],
    [
      { encoderDecoderType: 'mbart50', encoderDecoderName: fixture('base') },
      `model: ${fixture('base')} holds a bart, not a mbart50. Give bart as its type.`,
    ],
    [
      { encoderDecoderType: 'marian', encoderDecoderName: fixture('base') },
      `model: ${fixture('base')} holds a bart, not a marian. Give bart as its type.`,
    ],
    [
      { encoderDecoderType: 'bart', encoderDecoderName: fixture('base'), args: { numBeems: 2 } as object },
      'args: there is no option "numBeems". Did you mean "numBeams"?',
    ],
    [
      { encoderDecoderType: 'bart', encoderDecoderName: fixture('base'), args: { numReturnSequences: 2 } },
      'args: numReturnSequences is 2, but a search with 1 beam(s) ends with no more than 1 answer(s).',
    ],
  ])('refuses %j', async (options, message) => {
    await expect(Seq2SeqModel.load(options)).rejects.toThrow(message);
  });
});
