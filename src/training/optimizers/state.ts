import { fail } from '../../errors.js';
import type { OptimizerState, StateTensor } from './optimizer.js';

/** Copies a saved state into the tensors that an optimizer carries. */
export function copyState(into: readonly StateTensor[], { tensors }: OptimizerState): void {
  const saved = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  for (const { name, shape, data } of into) {
    const tensor = saved.get(name);
    if (!tensor || tensor.shape.join() !== shape.join()) {
      fail(
        'resume',
        `the optimizer's state has ${tensor ? `[${tensor.shape}]` : 'nothing'} for ${name}, which needs [${shape}]. ` +
          'Resume with the model and the optimizer that the run was started with.',
      );
    }
    data.set(tensor.data);
    saved.delete(name);
  }
  const [extra] = saved.keys();
  if (extra !== undefined) {
    fail(
      'resume',
      `the optimizer's state has ${saved.size} tensors that nothing needs, ${extra} among them. ` +
        'Resume with the parameters and the optimizer that the run was started with.',
    );
  }
}
