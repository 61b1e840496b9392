import { type KernelTask, task } from '../../kernels/index.js';
import { PLANES } from '../../models/index.js';
import type { CreateOptimizer, StateTensor } from './optimizer.js';
import { piecesOf } from './pieces.js';
import { copyState } from './state.js';

/** AdamW (Loshchilov & Hutter 2019) as `torch.optim.AdamW` computes it, over the gradient and moment planes. */
export const adamw: CreateOptimizer = (weights, groups, pool) => {
  let steps = 0;
  const tensors: StateTensor[] = groups.flatMap(({ parameters }) =>
    parameters.flatMap(({ name }) => {
      const { shape } = weights.specs.get(name)!;
      const moment = (plane: number) => weights.planes.array(name, plane);
      return [
        { name: `${name}.exp_avg`, shape, data: moment(PLANES.firstMoment) },
        { name: `${name}.exp_avg_sq`, shape, data: moment(PLANES.secondMoment) },
      ];
    }),
  );
  for (const { data } of tensors) data.fill(0);

  return {
    clipsByNorm: true,
    learningRate: (factor) => groups.at(-1)!.settings.learningRate * factor,
    async step(factor, gradientScale) {
      steps++;
      const tasks: KernelTask[] = [];
      for (const { parameters, settings } of groups) {
        const [beta1, beta2] = settings.adamBetas;
        const learningRate = settings.learningRate * factor;
        const stepSize = learningRate / (1 - beta1 ** steps);
        const inverseBias = 1 / Math.sqrt(1 - beta2 ** steps);
        for (const { name, weightDecay } of parameters) {
          const decay = 1 - learningRate * weightDecay;
          const constants = [gradientScale, beta1, beta2, decay, stepSize, inverseBias, settings.adamEpsilon] as const;
          const places = Object.values(PLANES).map((plane) => weights.planes.locate(name, plane));
          const { memory, length } = places[0]!;
          for (const { start, count } of piecesOf(length)) {
            const [p, g, m, v] = places.map(({ pointer }) => pointer + 4 * start) as [number, number, number, number];
            tasks.push(task(memory, 'adamw', count, [p, g, m, v, count, ...constants]));
          }
        }
      }
      await pool.run(tasks);
    },
    state: () => ({ steps, tensors }),
    restore(state) {
      copyState(tensors, state);
      steps = state.steps;
    },
  };
};
