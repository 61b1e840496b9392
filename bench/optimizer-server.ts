import { defaultArgs } from '../src/args/index.js';
import { KernelPool } from '../src/kernels/index.js';
import { architectureOf, ModelWeights, PLANES } from '../src/models/index.js';
import { createOptimizer, parameterGroups } from '../src/training/index.js';
import { bartBase, serve } from './contest.js';

// Our side of bench/optimizer.ts: weights of 0.5, gradients of 0.01.

const { threads } = JSON.parse(process.argv[2] ?? '{}') as { threads: number };
const weights = new ModelWeights(architectureOf(bartBase).parameters);
const pool = new KernelPool(threads);
const optimizer = createOptimizer('AdamW', weights, parameterGroups(weights, defaultArgs), pool);
for (const name of weights.specs.keys()) {
  weights.array(name).fill(0.5);
  weights.planes.array(name, PLANES.gradients).fill(0.01);
}

await serve(async () => {
  const start = performance.now();
  await optimizer.step(1, 1);
  const seconds = (performance.now() - start) / 1000;
  return { seconds, weights: weights.parameterCount, sample: weights.array('model.shared.weight')[12345] };
});
process.exit(0);
