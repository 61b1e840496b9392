import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openWeights } from '../../src/checkpoints/index.js';
import { Seq2SeqModel } from '../../src/index.js';
import { type ExpectedTraining, holdLog } from './ten-steps.js';

// Ten full-batch steps, evaluation and predictions against PyTorch and Transformers; see scripts/reference/README.md.

interface Expected {
  training: ExpectedTraining;
  predictions: { settings: Record<string, { arguments: Record<string, unknown>; outputs: string[][] }> };
}

const fixtures = path.join(import.meta.dirname, '../fixtures/bart');
const scratch = mkdtempSync(path.join(tmpdir(), 'parity-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

describe.each(['base', 'uneven'])('BART, variant %s', (variant) => {
  const directory = path.join(fixtures, variant);
  const expected: Expected = JSON.parse(readFileSync(path.join(directory, 'expected.json'), 'utf8'));
  const load = (args: object) =>
    Seq2SeqModel.load({
      encoderDecoderType: 'bart',
      encoderDecoderName: directory,
      config: { dropout: 0, attention_dropout: 0, activation_dropout: 0 },
      args: { silent: true, manualSeed: 1, ...args },
    });

  it('trains as PyTorch does, and evaluates as Transformers does', async () => {
    const { training } = expected;
    const { learning_rate, weight_decay, warmup_ratio } = training.hyperparameters;
    const outputDir = path.join(scratch, variant);
    const model = await load({
      numTrainEpochs: 10,
      trainBatchSize: 64,
      learningRate: learning_rate,
      weightDecay: weight_decay,
      warmupRatio: warmup_ratio,
      loggingSteps: 1,
      saveModelEveryEpoch: false,
      outputDir,
    });
    const evalFile = path.join(directory, 'eval.tsv');
    const evaluate = async () => (await model.evalModel(evalFile, { outputDir: path.join(scratch, 'eval') })).eval_loss;

    expect(Math.abs((await evaluate()) / training.eval_loss - 1)).toBeLessThan(1e-5);
    await model.trainModel(path.join(directory, 'train.tsv'));
    holdLog(outputDir, training);
    expect(Math.abs((await evaluate()) / training.eval_loss_after - 1)).toBeLessThan(1e-4);

    const trained = openWeights(path.join(outputDir, 'model.safetensors'));
    const reference = openWeights(path.join(directory, 'expected.safetensors'));
    const read = (weight: { shape: readonly number[]; read(into: Float32Array): void }) => {
      const data = new Float32Array(weight.shape.reduce((a, b) => a * b, 1));
      weight.read(data);
      return data;
    };
    let compared = 0;
    for (const [name, weight] of reference.weights) {
      if (!name.startsWith('trained.') || name.endsWith('k_proj.bias')) continue;
      const [ours, theirs] = [read(trained.weights.get(name.slice('trained.'.length))!), read(weight)];
      for (const [i, value] of theirs.entries()) expect(Math.abs(ours[i]! - value), name).toBeLessThan(1e-4);
      compared++;
    }
    expect(compared).toBeGreaterThan(10);
    trained.close();
    reference.close();
    model.dispose();
  });

  it.each(Object.entries(expected.predictions.settings))(
    'predicts the texts of Transformers: %s',
    async (_, setting) => {
      const args = Object.fromEntries(Object.entries(setting.arguments).map(([name, value]) => [camel(name), value]));
      const lines = readFileSync(path.join(directory, 'input.txt'), 'utf8').replace(/\n$/, '').split('\n');
      for (const evalBatchSize of [1, 64]) {
        // Options that Simple Transformers always passes, at Transformers' own defaults.
        const model = await load({ lengthPenalty: 1, earlyStopping: false, ...args, evalBatchSize });
        const answers = await model.predict(lines);
        expect(answers.map((answer) => [answer].flat())).toEqual(setting.outputs);
        model.dispose();
      }
    },
  );
});
