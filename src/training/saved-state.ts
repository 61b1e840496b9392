import path from 'node:path';
import { openWeights } from '../checkpoints/index.js';
import { fail } from '../errors.js';
import type { Optimizer, OptimizerState } from './optimizers/index.js';
import type { SavedWithModel } from './run-directory.js';
import { OPTIMIZER_FILE, STATE_FILE, stateToJson, type TrainerState } from './trainer-state.js';

/** `eval_results.txt`: a line for each result. */
export function resultsText(results: Readonly<Record<string, number | string>>): string {
  return Object.entries(results)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('');
}

/** What is saved beside a model: the state of its training and the optimizer's, and the results of its evaluation. */
export function savedState({
  state,
  optimizer,
  results,
}: {
  readonly state?: TrainerState | undefined;
  readonly optimizer?: Optimizer | undefined;
  readonly results?: Readonly<Record<string, number>> | undefined;
}): SavedWithModel {
  const files = new Map<string, string>();
  if (state) files.set(STATE_FILE, stateToJson(state));
  if (results) files.set('eval_results.txt', resultsText(results));
  const weights = new Map(optimizer ? [[OPTIMIZER_FILE, optimizer.state().tensors]] : []);
  return { files, weights };
}

/** The optimizer's state of a checkpoint. */
export function readOptimizer(directory: string, steps: number): OptimizerState {
  const file = path.join(directory, OPTIMIZER_FILE);
  const { weights, close } = openWeights(file);
  try {
    const tensors = [...weights.values()].map((weight) => {
      const data = new Float32Array(weight.shape.reduce((a, b) => a * b, 1));
      weight.read(data);
      return { name: weight.name, shape: weight.shape, data };
    });
    return { steps, tensors };
  } catch (error) {
    return fail(
      'resume',
      `${file} cannot be read: ${(error as Error).message}. Resume from another checkpoint.`,
      error,
    );
  } finally {
    close();
  }
}
