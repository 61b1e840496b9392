import { fail } from '../../errors.js';
import { type KernelTask, task } from '../../kernels/index.js';
import { type ModelWeights, PLANES } from '../../models/index.js';
import type { CreateOptimizer, OptimizerSettings, StateTensor } from './optimizer.js';
import { PIECE, sumsOfSquares } from './pieces.js';
import { copyState } from './state.js';

/**
 * A weight as rows and columns. Of a matrix the second moment is kept as the means of its rows and of its columns; of a
 * vector, which is one row, it is kept whole, as its columns.
 */
interface Factored {
  readonly name: string;
  readonly settings: OptimizerSettings;
  readonly weightDecay: number;
  readonly rows: number;
  readonly columns: number;
  /** Rows that one piece of work takes. */
  readonly block: number;
  readonly rowMeans: Float32Array;
  readonly columnMeans: Float32Array;
  /** What an element of the gradient is multiplied by: the root of row mean over their mean, and of the column mean. */
  readonly rowFactors: Workspace;
  readonly columnFactors: Workspace;
  readonly rowSums: Workspace;
  /** For each block of rows. */
  readonly columnSums: Workspace;
}

type Workspace = ReturnType<ModelWeights['planes']['workspace']>;

/** Adafactor (Shazeer & Stern 2018) as Transformers' `Adafactor` computes it. */
export const adafactor: CreateOptimizer = (weights, groups, pool) => {
  let steps = 0;
  const factored = groups.flatMap(({ parameters, settings }) => {
    requireMeaning(settings);
    return parameters.map((parameter) => factor(weights, parameter.name, settings, parameter.weightDecay));
  });
  const tensors = factored.flatMap((each) => tensorsOf(weights, each));
  for (const { data } of tensors) data.fill(0);

  /** One call of `make` for each block of rows of each weight. */
  function blocks(make: (each: Factored, first: number, count: number) => KernelTask): [KernelTask[], Factored[]] {
    const tasks: KernelTask[] = [];
    const owners: Factored[] = [];
    for (const each of factored) {
      for (let first = 0; first < each.rows; first += each.block) {
        tasks.push(make(each, first, Math.min(each.block, each.rows - first)));
        owners.push(each);
      }
    }
    return [tasks, owners];
  }
  const at = (each: Factored, plane: number, row: number) =>
    weights.planes.locate(each.name, plane).pointer + 4 * row * each.columns;
  const memoryOf = (each: Factored) => weights.planes.locate(each.name).memory;

  return {
    clipsByNorm: false,
    learningRate(scheduled) {
      const { settings } = groups.at(-1)!;
      return relativeStep(settings, steps + 1) ?? settings.learningRate * scheduled;
    },
    async step(scheduled, gradientScale) {
      steps++;
      const scales = await sumsOfSquares(
        weights,
        factored.map(({ name }) => name),
        PLANES.values,
        pool,
      );
      const [squares] = blocks((each, first, count) => {
        const columnSums = each.columnSums.pointer + 4 * (first / each.block) * each.columns;
        const epsilon = each.settings.adafactorEps[0] / gradientScale ** 2;
        return task(memoryOf(each), 'squareSums', count * each.columns, [
          at(each, PLANES.gradients, first),
          count,
          each.columns,
          epsilon,
          each.rowSums.pointer + 4 * first,
          columnSums,
        ]);
      });
      await pool.run(squares);
      for (const each of factored) updateFactors(each, steps, gradientScale ** 2);

      const [norms, owners] = blocks((each, first, count) =>
        task(memoryOf(each), 'factoredSquares', count * each.columns, [
          at(each, PLANES.gradients, first),
          count,
          each.columns,
          each.rowFactors.pointer + 4 * first,
          each.columnFactors.pointer,
        ]),
      );
      const updates = new Map(factored.map((each) => [each, 0]));
      for (const [i, square] of (await pool.run(norms)).entries()) {
        updates.set(owners[i]!, updates.get(owners[i]!)! + square);
      }

      const rates = new Map(
        factored.map((each, i) => {
          const { settings, rows, columns } = each;
          const base = relativeStep(settings, steps) ?? settings.learningRate * scheduled;
          const weightScale = Math.sqrt(scales[i]! / (rows * columns));
          const rate = settings.adafactorScaleParameter ? base * Math.max(settings.adafactorEps[1], weightScale) : base;
          const size = gradientScale * Math.sqrt(updates.get(each)! / (rows * columns));
          return [each, { rate, clip: Math.max(1, size / settings.adafactorClipThreshold) }];
        }),
      );
      const [applied] = blocks((each, first, count) => {
        const { rate, clip } = rates.get(each)!;
        const beta1 = each.settings.adafactorBeta1;
        return task(memoryOf(each), 'adafactor', count * each.columns, [
          at(each, PLANES.values, first),
          at(each, PLANES.gradients, first),
          beta1 === undefined ? 0 : at(each, PLANES.firstMoment, first),
          count,
          each.columns,
          each.rowFactors.pointer + 4 * first,
          each.columnFactors.pointer,
          (gradientScale * rate) / clip,
          beta1 ?? 0,
          1 - each.weightDecay * rate,
        ]);
      });
      await pool.run(applied);
    },
    state: () => ({ steps, tensors }),
    restore(state) {
      copyState(tensors, state);
      steps = state.steps;
    },
  };
};

/** The rate that follows from the step alone; undefined where the learning rate is given. */
function relativeStep(settings: OptimizerSettings, step: number): number | undefined {
  if (!settings.adafactorRelativeStep) return undefined;
  return Math.min(settings.adafactorWarmupInit ? 1e-6 * step : 1e-2, 1 / Math.sqrt(step));
}

function requireMeaning({
  adafactorRelativeStep,
  adafactorWarmupInit,
  adafactorEps,
  adafactorDecayRate,
}: OptimizerSettings): void {
  if (adafactorEps.some((epsilon) => epsilon < 0)) {
    fail('args', `adafactorEps is ${adafactorEps.join(', ')}; neither number may be below 0.`);
  }
  if (adafactorDecayRate > 0) {
    fail(
      'args',
      `adafactorDecayRate is ${adafactorDecayRate}; above 0 the running mean never forgets. Give -0.8, or the like.`,
    );
  }
  if (!adafactorWarmupInit || adafactorRelativeStep) return;
  fail(
    'args',
    'adafactorWarmupInit warms up the relative step, which adafactorRelativeStep turns off. Turn adafactorWarmupInit off as well.',
  );
}

function factor(weights: ModelWeights, name: string, settings: OptimizerSettings, weightDecay: number): Factored {
  const { shape } = weights.specs.get(name)!;
  const { length } = weights.array(name);
  const columns = shape.at(-1) ?? 1;
  const rows = length / columns;
  const block = Math.max(1, Math.floor(PIECE / columns));
  const { planes } = weights;
  const isMatrix = shape.length > 1;
  const rowFactors = planes.workspace(name, rows);
  rowFactors.array.fill(1);
  return {
    ...{ name, settings, weightDecay, rows, columns, block },
    rowMeans: isMatrix ? planes.workspace(name, rows).array : new Float32Array(0),
    columnMeans: planes.workspace(name, columns).array,
    rowFactors,
    columnFactors: planes.workspace(name, columns),
    rowSums: planes.workspace(name, rows),
    columnSums: planes.workspace(name, Math.ceil(rows / block) * columns),
  };
}

function tensorsOf(weights: ModelWeights, { name, settings, rowMeans, columnMeans }: Factored): StateTensor[] {
  const { shape } = weights.specs.get(name)!;
  const whole = (kind: string, data: Float32Array) => ({ name: `${name}.${kind}`, shape, data });
  const part = (kind: string, data: Float32Array) => ({ name: `${name}.${kind}`, shape: [data.length], data });
  return [
    ...(rowMeans.length > 0
      ? [part('exp_avg_sq_row', rowMeans), part('exp_avg_sq_col', columnMeans)]
      : [whole('exp_avg_sq', columnMeans)]),
    ...(settings.adafactorBeta1 === undefined
      ? []
      : [whole('exp_avg', weights.planes.array(name, PLANES.firstMoment))]),
  ];
}

/**
 * Means of squared gradients, running: β₂ = 1 − step^decayRate, and from them the factors 1/√(row/mean row) and 1/√column.
 * @param scale of the squares, where gradients are scaled
 */
function updateFactors(each: Factored, step: number, scale: number): void {
  const { rows, columns, rowMeans, columnMeans, rowFactors, columnFactors, rowSums, columnSums, settings } = each;
  const beta = 1 - step ** settings.adafactorDecayRate;
  const blend = (mean: number, sum: number, count: number) => beta * mean + (1 - beta) * ((sum / count) * scale);
  const sums = columnSums.array;
  const inColumn = rowMeans.length > 0 ? rows : 1;
  for (let c = 0; c < columns; c++) {
    let sum = 0;
    for (let place = c; place < sums.length; place += columns) sum += sums[place]!;
    columnMeans[c] = blend(columnMeans[c]!, sum, inColumn);
    columnFactors.array[c] = 1 / Math.sqrt(columnMeans[c]!);
  }
  if (rowMeans.length === 0) return;
  let total = 0;
  for (let r = 0; r < rows; r++) {
    rowMeans[r] = blend(rowMeans[r]!, rowSums.array[r]!, columns);
    total += rowMeans[r]!;
  }
  const mean = total / rows;
  for (let r = 0; r < rows; r++) rowFactors.array[r] = 1 / Math.sqrt(rowMeans[r]! / mean);
}
