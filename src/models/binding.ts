import { type Program, Tensor } from '../engine/index.js';
import { fail } from '../errors.js';
import { evaluate, formatShape, type Shape } from '../graph/index.js';
import { blockShapes, QUANTIZED } from './blocks.js';
import type { Feeds } from './packing.js';
import { type ModelWeights, PLANES } from './weights.js';

/** Weights, whole or some of their rows, as tensors over the memory they live in. */
export function weightTensor(weights: ModelWeights, name: string, plane: number = PLANES.values): Tensor {
  for (const [form, suffix] of Object.entries(QUANTIZED) as [keyof typeof QUANTIZED, string][]) {
    const matrix = name.endsWith(suffix) ? weights.quantized.get(name.slice(0, -suffix.length)) : undefined;
    if (!matrix) continue;
    const shape = blockShapes(matrix.shape, matrix.blocks)[form];
    return form === 'scales' ? Tensor.from(matrix.scales, shape) : Tensor.from(matrix.values, shape);
  }
  return Tensor.from(weights.planes.array(name, plane), shapeOf(weights, name));
}

export function weightRowsTensor(
  weights: ModelWeights,
  name: string,
  plane: number,
  start: number,
  count: number,
): Tensor {
  const [, ...rest] = shapeOf(weights, name);
  const width = rest.reduce((a, b) => a * b, 1);
  return Tensor.from(weights.planes.array(name, plane).subarray(start * width, (start + count) * width), [
    count,
    ...rest,
  ]);
}

/** A tensor for each input of the program that is a weight, or rows of one named `weight[start:end]`. */
export function weightInputs(program: Program, weights: ModelWeights): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const { name } of program.signature.inputs) {
    if (weights.specs.has(name)) tensors[name] = weightTensor(weights, name);
    const rows = /^(.+)\[(\d+):(\d+)\]$/.exec(name);
    if (!rows || !weights.specs.has(rows[1]!)) continue;
    const [start, end] = [Number(rows[2]), Number(rows[3])];
    tensors[name] = weightRowsTensor(weights, rows[1]!, PLANES.values, start, end - start);
  }
  return tensors;
}

/** Tensors for feeds; with a program, for those that it asks for. */
export function feedTensors(feeds: Feeds, program?: Program): Record<string, Tensor> {
  const asked = program && new Set(program.signature.inputs.map(({ name }) => name));
  const entries = Object.entries(feeds).filter(([name]) => asked?.has(name) ?? true);
  return Object.fromEntries(entries.map(([name, { data, shape }]) => [name, Tensor.from(data, shape)]));
}

/** The numbers behind a shape's symbols, given inputs that show them. */
export function resolveShape(shape: Shape, sizes: ReadonlyMap<string, number>): number[] {
  return shape.map(
    (dim) => evaluate(dim, sizes) ?? fail('model', `the size of "${dim}" in ${formatShape(shape)} is unknown.`),
  );
}

export function disposeAll(...groups: readonly Readonly<Record<string, Tensor>>[]): void {
  for (const group of groups) for (const tensor of Object.values(group)) tensor.dispose();
}

function shapeOf(weights: ModelWeights, name: string): readonly number[] {
  return weights.specs.get(name)?.shape ?? fail('model', `there is no weight "${name}".`);
}
