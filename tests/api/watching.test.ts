import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { fixture, loadBart, rowsOf, temporaryFolder } from '../support.js';

const folder = temporaryFolder();
const rows = rowsOf('base', 'train');
const evalData = rowsOf('base', 'eval');
const args = {
  trainBatchSize: 4,
  maxSteps: 4,
  numTrainEpochs: 2,
  loggingSteps: 2,
  evaluateDuringTraining: true,
  evaluateDuringTrainingSteps: 4,
  noSave: true,
};

describe('a run is told to', () => {
  it('TensorBoard: numbers, options, and generated texts at evaluations', async () => {
    const tensorboardDir = join(folder, 'runs');
    const model = await loadBart(fixture('base'), { args: { ...args, tensorboardDir } });
    await model.trainModel(rows, { outputDir: join(folder, 'tensorboard'), evalData, metrics: ['exactMatch'] });
    model.dispose();
    const [name, ...others] = readdirSync(tensorboardDir);
    expect(others).toEqual([]);
    const events = readFileSync(join(tensorboardDir, name!), 'latin1');
    for (const tag of [
      'lr',
      'loss',
      'grad_norm',
      'eval_loss',
      'eval_exactMatch',
      'options/text_summary',
      'samples/text_summary',
    ])
      expect(events).toContain(tag);
    expect(events).toContain('| maxSteps | 4 |');
    expect(events).toContain(evalData[0]!.input_text);
  });

  it('Weights & Biases, and nothing when no project is named', async () => {
    const lines: Record<string, unknown>[] = [];
    let config: Record<string, { value: unknown }> = {};
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (piece) => {
        body += piece;
      });
      request.on('end', () => {
        const { variables, files } = JSON.parse(body) as {
          variables?: { config: string; project: string };
          files?: Record<string, { content: string[] }>;
        };
        if (variables) config = JSON.parse(variables.config) as typeof config;
        const history = files?.['wandb-history.jsonl']?.content ?? [];
        lines.push(...history.map((line) => JSON.parse(line) as Record<string, unknown>));
        const bucket = { name: 'r', historyLineCount: 0, project: { name: 'p', entity: { name: 'e' } } };
        response.end(JSON.stringify(variables ? { data: { upsertBucket: { bucket } } } : {}));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    vi.stubEnv('WANDB_BASE_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    vi.stubEnv('WANDB_API_KEY', 'key');
    const said = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
    try {
      const run = async (more: object) => {
        const model = await loadBart(fixture('base'), { args: { ...args, evaluateDuringTraining: false, ...more } });
        await model.trainModel(rows, { outputDir: join(folder, `wandb-${Object.keys(more).join('-')}`) });
        model.dispose();
      };
      await run({});
      expect(lines).toEqual([]);
      await run({ wandbProject: 'p', wandbKwargs: { name: 'n' }, sweepConfig: { learning_rate: { value: 0.002 } } });
    } finally {
      said.mockRestore();
      vi.unstubAllEnvs();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    expect(config.learningRate).toEqual({ value: 0.002 });
    const logged = lines.filter((line) => 'loss' in line);
    expect(logged.map(({ _step }) => _step)).toEqual([2, 4]);
  });
});
