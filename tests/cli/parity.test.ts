import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixture, readLog, temporaryFolder } from '../support.js';
import { runIn } from './program.js';

/** What Transformers and PyTorch answered; scripts/reference/README.md says how. */
interface Expected {
  readonly predictions: {
    readonly settings: Record<string, { arguments: Record<string, number | boolean>; outputs: string[][] }>;
  };
  readonly training: {
    readonly hyperparameters: Record<string, number>;
    readonly loss: number[];
    readonly grad_norm: number[];
    readonly lr: number[];
    readonly eval_loss: number;
    readonly eval_loss_after: number;
  };
}

const folder = temporaryFolder();

/** What Transformers means by leaving a setting out, where Simple Transformers, and so the command line, means another. */
const transformersDefaults = { length_penalty: 1, early_stopping: false };

/** `max_length: 20` → `--max-length 20`. */
function flagsOf(values: Record<string, number | boolean>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name.replaceAll('_', '-')}=${value}`]);
}

function printed(args: readonly string[]): string {
  const { status, stdout, stderr } = runIn(folder, [...args, '--silent', '--json']);
  expect(status, stderr).toBe(0);
  return stdout;
}

describe.each(['base', 'uneven'] as const)('%s, by the command line', (name) => {
  const model = ['--encoder-decoder-type', 'bart', '--encoder-decoder-name', fixture(name)];
  const { predictions, training } = JSON.parse(readFileSync(fixture(name, 'expected.json'), 'utf8')) as Expected;
  const table = (part: string) => fixture(name, `${part}.tsv`);

  const cases = Object.entries(predictions.settings).flatMap(([setting, values]) =>
    [1, 64].map((batch) => ({ setting, batch, ...values })),
  );
  it.each(cases)('answers as Transformers: $setting, batch $batch', ({ batch, arguments: values, outputs }) => {
    const flags = [...flagsOf({ ...transformersDefaults, ...values }), `--eval-batch-size=${batch}`];
    const lines = printed(['predict', ...model, '--input', fixture(name, 'input.txt'), ...flags])
      .trimEnd()
      .split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { outputs: string[] }).outputs)).toEqual(outputs);
  });

  it('evaluates as PyTorch', () => {
    const { eval_loss } = JSON.parse(
      printed(['eval', ...model, '--eval-data', table('eval'), '--output-dir', `${name}-eval`]),
    ) as { eval_loss: number };
    expect(Math.abs(eval_loss / training.eval_loss - 1)).toBeLessThan(1e-5);
  });

  it('trains ten steps as PyTorch', () => {
    const outputDir = `${name}-trained`;
    const data = ['--train-data', table('train'), '--eval-data', table('eval'), '--output-dir', outputDir];
    const flags = ['--logging-steps=1', '--no-save-model-every-epoch', ...flagsOf(training.hyperparameters)];
    const { eval_loss } = JSON.parse(printed(['train', ...model, ...data, ...flags])) as { eval_loss: number };
    const log = readLog(join(folder, outputDir));
    expect(log.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const [i, { loss, grad_norm, lr }] of log.entries()) {
      expect(lr).toBeCloseTo(training.lr[i]!, 12);
      expect(Math.abs(loss / training.loss[i]! - 1), `loss of step ${i + 1}`).toBeLessThan(1e-4);
      expect(Math.abs(grad_norm / training.grad_norm[i]! - 1), `norm of step ${i + 1}`).toBeLessThan(1e-3);
    }
    expect(Math.abs(eval_loss / training.eval_loss_after - 1)).toBeLessThan(1e-4);
  });
});
