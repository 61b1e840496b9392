import { fail } from '../../errors.js';
import type { OptimizerState, StateTensor } from './optimizer.js';

/** Copies a saved state into the tensors that an optimizer carries; nothing of it, unless all of it fits. */
export function copyState(into: readonly StateTensor[], { tensors }: OptimizerState): void {
  const saved = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  for (const { name, shape, data } of into) {
    const tensor = saved.get(name);
    if (tensor && tensor.shape.join() === shape.join() && tensor.data.length === data.length) continue;
    fail(
      'resume',
      `the optimizer's state has ${tensor ? `[${tensor.shape}] (${tensor.data.length} numbers)` : 'nothing'} for ${name}, which ` +
        `needs [${shape}]. Resume with the model and the optimizer that the run was started with.`,
    );
  }
  const needed = new Set(into.map(({ name }) => name));
  const extra = tensors.filter(({ name }) => !needed.has(name));
  if (extra.length > 0) {
    fail(
      'resume',
      `the optimizer's state has ${extra.length} tensors that nothing needs, ${extra[0]!.name} among them. ` +
        'Resume with the parameters and the optimizer that the run was started with.',
    );
  }
  for (const { name, data } of into) data.set(saved.get(name)!.data);
}
