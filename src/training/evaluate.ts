import { compile } from '../engine/index.js';
import {
  disposeAll,
  feedTensors,
  lossGraph,
  type ModelWeights,
  type Seq2SeqArchitecture,
  weightInputs,
} from '../models/index.js';
import { createBatch, type Example } from './batch.js';

/** The mean loss over all label tokens, whatever the batch size. */
export async function evaluateLoss(
  architecture: Seq2SeqArchitecture,
  weights: ModelWeights,
  examples: readonly Example[],
  options: { batchSize: number; threads: number; onBatch?: (done: number) => void; signal?: AbortSignal | undefined },
): Promise<number> {
  const { loss } = lossGraph(architecture, { training: false, isZero: (name) => weights.isZero(name) });
  const program = compile({ loss }, { name: 'evaluation', threads: options.threads });
  const inputs = weightInputs(program, weights);
  let total = 0;
  let count = 0;
  try {
    for (let start = 0; start < examples.length; start += options.batchSize) {
      options.signal?.throwIfAborted();
      const batch = createBatch(examples.slice(start, start + options.batchSize), architecture);
      const fed = feedTensors(batch.feeds);
      const results = await program.run({ ...inputs, ...fed });
      total += (results.loss!.data as Float32Array)[0]! * batch.labelCount;
      count += batch.labelCount;
      disposeAll(fed, results);
      options.onBatch?.(start + batch.rows);
    }
  } finally {
    program.dispose();
    disposeAll(inputs);
  }
  return total / Math.max(1, count);
}
