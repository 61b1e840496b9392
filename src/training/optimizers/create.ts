import type { KernelPool } from '../../kernels/index.js';
import type { ModelWeights } from '../../models/index.js';
import { adafactor } from './adafactor.js';
import { adamw } from './adamw.js';
import type { CreateOptimizer, Optimizer, OptimizerName, ParameterGroup } from './optimizer.js';

const optimizers: Readonly<Record<OptimizerName, CreateOptimizer>> = { AdamW: adamw, Adafactor: adafactor };

/** A fresh optimizer over groups of weights. */
export function createOptimizer(
  name: OptimizerName,
  weights: ModelWeights,
  groups: readonly ParameterGroup[],
  pool: KernelPool,
): Optimizer {
  weights.prepareTraining();
  weights.planes.clearWorkspace();
  return optimizers[name](weights, groups, pool);
}
