import { compile, type Program } from '../engine/index.js';
import {
  disposeAll,
  feedTensors,
  lossGraph,
  type ModelWeights,
  type Seq2SeqArchitecture,
  weightInputs,
} from '../models/index.js';
import type { Examples } from './examples.js';
import { makeBatch } from './make-batch.js';
import type { FindDocuments } from './rag-batch.js';

export interface EvaluatedLoss {
  /** Over all label tokens, whatever the batch size. */
  readonly mean: number;
  /** Σ −log p(target), over all rows. */
  readonly sum: number;
}

/**
 * The loss on rows. Those of like length are evaluated together, the longest first, so that a batch too large for the memory shows at once.
 */
export async function evaluateLoss(
  architecture: Seq2SeqArchitecture,
  weights: ModelWeights,
  examples: Examples,
  options: {
    batchSize: number;
    threads: number;
    onBatch?: (done: number) => void;
    findDocuments?: FindDocuments | undefined;
    signal?: AbortSignal | undefined;
  },
): Promise<EvaluatedLoss> {
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
      const batch = await makeBatch(rows, architecture, options);
      const program = programFor(batch.groups);
      const fed = feedTensors(batch.feeds, program);
      const results = await program.run({ ...inputs, ...fed });
      const loss = (results.loss!.data as Float32Array)[0]!;
      total += architecture.retrieval ? loss : loss * batch.labelCount;
      labels += batch.labelCount;
      disposeAll(fed, results);
      options.onBatch?.(start + batch.rows);
    }
  } finally {
    for (const program of programs.values()) program.dispose();
    disposeAll(inputs);
  }
  return { mean: total / Math.max(1, labels), sum: total };
}
