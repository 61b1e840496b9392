import os from 'node:os';
import process from 'node:process';
import { nodesOf } from '../graph/index.js';
import { lossGraph, type ModelWeights, resolveShape, type Seq2SeqArchitecture } from '../models/index.js';
import type { Batch } from './batch.js';
import type { GroupOptions, ParameterGroup } from './optimizers/index.js';

/** The engine, Node and this program. */
const BASE = 250e6;
/** Gradients on their way, and buffers that the engine keeps for reuse, come on top of what is counted. */
const SLACK = 1.3;
/** Views of other values, or values that are there anyway. */
const FREE = new Set(['input', 'parameter', 'parameterRows', 'constant', 'reshape']);

/**
 * What training a model takes, in bytes: values, gradients and what the optimizer keeps; and, from the model's graph, what the
 * forward pass makes of the largest batch, which stays until the backward pass.
 */
export function estimateMemory(
  architecture: Seq2SeqArchitecture,
  weights: ModelWeights,
  groups: readonly ParameterGroup[],
  { optimizer, adafactorBeta1 }: Pick<GroupOptions, 'optimizer' | 'adafactorBeta1'>,
  largest: Batch,
): number {
  const sizeOf = (names: readonly string[]) => names.reduce((sum, name) => sum + weights.array(name).length, 0);
  const trained = groups.flatMap(({ parameters }) => parameters.map(({ name }) => name));
  const moments = optimizer === 'AdamW' ? 2 : Number(adafactorBeta1 !== undefined);
  const kept = 4 * (sizeOf([...weights.specs.keys()]) + (1 + moments) * sizeOf(trained));

  const isZero = (name: string) => weights.isZero(name);
  const { loss } = lossGraph(architecture, { training: true, groups: largest.groups, isZero });
  let made = 0;
  for (const { op, outputs } of nodesOf([loss])) {
    if (FREE.has(op)) continue;
    for (const { shape } of outputs) made += 4 * resolveShape(shape, largest.sizes).reduce((a, b) => a * b, 1);
  }
  return kept + SLACK * made + BASE;
}

/** Bytes that this process has and could still get: what is free, within the limit of its container. */
export function memoryThere(): number {
  const { rss } = process.memoryUsage();
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.min(os.freemem() + rss, limit);
}
