import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type LoadOptions, Seq2SeqModel } from '../../src/index.js';
import { readLog, temporaryFolder } from '../support.js';

/** What Transformers and PyTorch answered; scripts/reference/README.md says how. */
interface Expected {
  readonly predictions: {
    readonly settings: Record<string, { arguments: Record<string, number | boolean>; outputs: string[][] }>;
  };
  readonly training: {
    readonly hyperparameters: Record<string, number>;
    readonly loss: number[];
    readonly eval_loss: number;
    readonly eval_loss_after: number;
  };
}

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url));
const folder = temporaryFolder();
const halfDropout = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0, dropout: 0, attention_dropout: 0 };
const noDropout = { encoder: halfDropout, decoder: halfDropout };

function load(options: LoadOptions, args: LoadOptions['args'] = {}): Promise<Seq2SeqModel> {
  return Seq2SeqModel.load({ ...options, args: { silent: true, threads: 2, ...args } });
}

const camelCase = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
const camelCased = (values: object) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [camelCase(name), value]));

/** What Transformers means by leaving a setting out, where Simple Transformers means another. */
const transformersDefaults = { lengthPenalty: 1, earlyStopping: false };

interface Variant {
  readonly variant: string;
  readonly type: Pick<LoadOptions, 'encoderType' | 'encoderDecoderType' | 'config'>;
  readonly args?: LoadOptions['args'];
}

const generic = (variant: string, encoderType = variant): Variant => ({
  variant: `encoder-decoder/${variant}`,
  type: { encoderType, config: noDropout },
});
const translation = (variant: string): Variant => ({
  variant: `translation/${variant}`,
  type: { encoderDecoderType: variant },
  args: { srcLang: 'en_XX', tgtLang: 'ro_RO' },
});

describe.each([
  ...['bert', 'roberta', 'distilbert', 'camembert', 'electra'].map((name) => generic(name)),
  generic('bert2bert', 'bert'),
  ...['marian', 'mbart', 'mbart50'].map(translation),
])('$variant', ({ variant, type, args }) => {
  const directory = join(fixtures, variant);
  const { predictions, training } = JSON.parse(readFileSync(join(directory, 'expected.json'), 'utf8')) as Expected;
  const input = readFileSync(join(directory, 'input.txt'), 'utf8').replace(/\n$/, '').split('\n');
  const model = { ...type, encoderDecoderName: directory };
  const answers = async (loaded: Seq2SeqModel) => (await loaded.predict(input)) as string[];

  const cases = Object.entries(predictions.settings).flatMap(([setting, values]) =>
    [1, 64].map((batch) => ({ setting, batch, ...values })),
  );
  it.each(cases)('answers as Transformers: $setting, batch $batch', async ({ batch, arguments: values, outputs }) => {
    const loaded = await load(model, { ...args, ...transformersDefaults, ...camelCased(values), evalBatchSize: batch });
    expect((await answers(loaded)).map((answer) => [answer].flat())).toEqual(outputs);
    loaded.dispose();
  });

  it('evaluates and trains ten steps as PyTorch; comes back from its directory', async () => {
    const loaded = await load(model, {
      ...args,
      ...camelCased(training.hyperparameters),
      loggingSteps: 1,
      saveModelEveryEpoch: false,
      manualSeed: 1,
    });
    const outputDir = join(folder, variant.replace('/', '-'));
    const evaluate = async (of: Seq2SeqModel) =>
      (await of.evalModel(join(directory, 'eval.tsv'), { outputDir: `${outputDir}-eval` })).eval_loss;
    expect(Math.abs((await evaluate(loaded)) / training.eval_loss - 1)).toBeLessThan(1e-5);

    await loaded.trainModel(join(directory, 'train.tsv'), { outputDir });
    for (const [i, { loss }] of readLog(outputDir).entries()) {
      expect(Math.abs(loss / training.loss[i]! - 1), `loss of step ${i + 1}`).toBeLessThan(1e-4);
    }
    const after = await evaluate(loaded);
    expect(Math.abs(after / training.eval_loss_after - 1)).toBeLessThan(1e-4);

    const halves = readdirSync(outputDir).filter((name) => ['encoder', 'decoder'].includes(name));
    expect(halves).toEqual(type.encoderType ? ['decoder', 'encoder'] : []);
    const again = await load({ ...type, encoderDecoderName: outputDir });
    expect(await evaluate(again)).toBe(after);
    expect(await answers(again)).toEqual(await answers(loaded));
    again.dispose();
    loaded.dispose();
  });
});
