import { compile, type Program } from '../engine/index.js';
import {
  disposeAll,
  feedTensors,
  lossGraph,
  type ModelWeights,
  type Seq2SeqArchitecture,
  weightInputs,
} from '../models/index.js';
import { createBatch } from './batch.js';
import type { Examples } from './examples.js';

/**
 * The mean loss over all label tokens, whatever the batch size. Rows of like length are evaluated together, the longest
 * first, so that a batch too large for the memory shows at once.
 */
export async function evaluateLoss(
  architecture: Seq2SeqArchitecture,
  weights: ModelWeights,
  examples: Examples,
  options: { batchSize: number; threads: number; onBatch?: (done: number) => void; signal?: AbortSignal | undefined },
): Promise<number> {
  const programs = new Map<number, Program>();
  const programFor = (groups: number): Program => {
    const isZero = (name: string) => weights.isZero(name);
    const compiled =
      programs.get(groups) ??
      compile(
        { loss: lossGraph(architecture, { training: false, groups, isZero }).loss },
        { name: 'evaluation', threads: options.threads },
      );
    programs.set(groups, compiled);
    return compiled;
  };
  const inputs = weightInputs(programFor(1), weights);
  const tokens = (row: number) => examples.sourceLength(row) + examples.targetLength(row);
  const order = Uint32Array.from({ length: examples.length }, (_, row) => row).sort((a, b) => tokens(b) - tokens(a));
  let [total, labels] = [0, 0];
  try {
    for (let start = 0; start < order.length; start += options.batchSize) {
      options.signal?.throwIfAborted();
      const rows = Array.from(order.subarray(start, start + options.batchSize), (row) => examples.at(row));
      const batch = createBatch(rows, architecture);
      const fed = feedTensors(batch.feeds);
      const results = await programFor(batch.groups).run({ ...inputs, ...fed });
      total += (results.loss!.data as Float32Array)[0]! * batch.labelCount;
      labels += batch.labelCount;
      disposeAll(fed, results);
      options.onBatch?.(start + batch.rows);
    }
  } finally {
    for (const program of programs.values()) program.dispose();
    disposeAll(inputs);
  }
  return total / Math.max(1, labels);
}
