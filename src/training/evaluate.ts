import { compile } from '../engine/index.js';
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

/** The mean loss over all label tokens, whatever the batch size. */
export async function evaluateLoss(
  architecture: Seq2SeqArchitecture,
  weights: ModelWeights,
  examples: Examples,
  options: { batchSize: number; threads: number; onBatch?: (done: number) => void; signal?: AbortSignal | undefined },
): Promise<number> {
  const { loss } = lossGraph(architecture, { training: false, isZero: (name) => weights.isZero(name) });
  const program = compile({ loss }, { name: 'evaluation', threads: options.threads });
  const inputs = weightInputs(program, weights);
  let total = 0;
  let labels = 0;
  try {
    for (let start = 0; start < examples.length; start += options.batchSize) {
      options.signal?.throwIfAborted();
      const count = Math.min(options.batchSize, examples.length - start);
      const rows = Array.from({ length: count }, (_, i) => examples.at(start + i));
      const batch = createBatch(rows, architecture);
      const fed = feedTensors(batch.feeds);
      const results = await program.run({ ...inputs, ...fed });
      total += (results.loss!.data as Float32Array)[0]! * batch.labelCount;
      labels += batch.labelCount;
      disposeAll(fed, results);
      options.onBatch?.(start + batch.rows);
    }
  } finally {
    program.dispose();
    disposeAll(inputs);
  }
  return total / Math.max(1, labels);
}
