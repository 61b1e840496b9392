import type { KernelPool } from '../../kernels/index.js';
import type { ModelWeights } from '../../models/index.js';

export type OptimizerName = 'AdamW' | 'Adafactor';

/** Settings of both optimizers; a group of parameters may have its own. */
export interface OptimizerSettings {
  learningRate: number;
  weightDecay: number;
  adamBetas: readonly [number, number];
  adamEpsilon: number;
  adafactorBeta1?: number | undefined;
  adafactorClipThreshold: number;
  adafactorDecayRate: number;
  adafactorEps: readonly [squaredGradient: number, weightScale: number];
  adafactorRelativeStep: boolean;
  adafactorScaleParameter: boolean;
  adafactorWarmupInit: boolean;
}

/** Weights that are trained with one set of settings. */
export interface ParameterGroup {
  readonly parameters: readonly { readonly name: string; readonly weightDecay: number }[];
  readonly settings: OptimizerSettings;
}

/** Everything that an optimizer carries from one step to the next. */
export interface OptimizerState {
  /** Updates made. */
  readonly steps: number;
  /** By the name of the weight and, behind a dot, what it is of it, as PyTorch names it: `exp_avg`, `exp_avg_sq`. */
  readonly tensors: readonly StateTensor[];
}

export interface StateTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Turns the gradients in the weights' gradient plane into updates of the weights, in place. */
export interface Optimizer {
  /** Updates every trained weight; each group's learning rate is its own times `factor`, its gradient times `gradientScale`. */
  step(factor: number, gradientScale: number): Promise<void>;
  /** The rate of the next step, of the last group: the one without custom settings, where there is one. */
  learningRate(factor: number): number;
  /** Whether gradients are clipped by their norm before; Adafactor clips its updates itself. */
  readonly clipsByNorm: boolean;
  /** Views of what it carries; they change with the next step. */
  state(): OptimizerState;
  restore(state: OptimizerState): void;
}

export type CreateOptimizer = (weights: ModelWeights, groups: readonly ParameterGroup[], pool: KernelPool) => Optimizer;
