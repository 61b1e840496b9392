import { defaultArgs } from '../src/args/index.js';
import { matchWeights, openWeights } from '../src/checkpoints/index.js';
import { KernelPool } from '../src/kernels/index.js';
import { architectureOf, ModelWeights } from '../src/models/index.js';
import { createBatch, createOptimizer, GradientProgram, gradientNorm, parameterGroups } from '../src/training/index.js';
import { bartBase, serve, token } from './contest.js';

// Our training step as a server of timed rounds; the same work as bench/python/torch_train.py.

interface Settings {
  threads: number;
  dropout: number;
  weights?: string;
}
const { threads, dropout, weights: file } = JSON.parse(process.argv[2] ?? '{}') as Settings;
const config = { ...bartBase, dropout, attention_dropout: dropout, activation_dropout: dropout };
const architecture = architectureOf(config);
const weights = new ModelWeights(architecture.parameters);
weights.initialize(0);
if (file) {
  const opened = openWeights(file);
  const { matched } = matchWeights(opened.weights, architecture.parameters, { architecture: 'bart' });
  for (const [name, weight] of matched) weight.read(weights.array(name));
  opened.close();
}
const pool = new KernelPool(threads);
const program = new GradientProgram(architecture, weights, { seed: 0, threads, pool });
const optimizer = createOptimizer('AdamW', weights, parameterGroups(weights, defaultArgs), pool);
let steps = 0;

const sequences = (lengths: readonly number[], firstRow: number) =>
  lengths.map((length, row) => Int32Array.from({ length }, (_, column) => token(firstRow + row, column)));

await serve(async (round: { sources: number[]; targets: number[] }) => {
  const targets = sequences(round.targets, 1000);
  const examples = sequences(round.sources, 0).map((source, i) => ({ source, target: targets[i]! }));
  const start = performance.now();
  const loss = await program.run(createBatch(examples, architecture), steps++, false);
  const norm = await gradientNorm(weights, program.trainable, pool);
  await optimizer.step(1, Math.min(1, 1 / (norm + 1e-6)));
  return { seconds: (performance.now() - start) / 1000, loss, grad_norm: norm };
});
process.exit(0);
