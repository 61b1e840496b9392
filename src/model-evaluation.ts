import type { Seq2SeqArgs } from './args/index.js';
import { GenerationPrograms } from './generation/index.js';
import { samplesTable } from './loggers/index.js';
import { computeMetric, type MetricFunction } from './metrics/index.js';
import { findDocumentsOf, type ModelParts } from './model-parts.js';
import { Predictor } from './model-prediction.js';
import type { ModelRows } from './model-rows.js';
import { dequantizeWeights } from './models/index.js';
import { Progress } from './progress.js';
import { type Evaluation, evaluateLoss } from './training/index.js';

export type EvalResult = {
  /** Mean loss over all label tokens. */
  eval_loss: number;
  /** Metrics, by their names. */
  [metric: string]: number;
};

export interface EvaluationRun {
  readonly metrics: ReadonlyMap<string, MetricFunction>;
  readonly threads: number;
  readonly silent: boolean;
  /** Those of an earlier prediction, if their weights are still the model's. */
  readonly programs?: GenerationPrograms | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How many generated texts are shown to those who watch. */
const SAMPLES = 8;

/**
 * The mean loss on rows and, with metrics, what these say of the texts the model generates. A metric that fails is
 * reported with its row and leaves the others alone.
 */
export async function evaluateModel(
  parts: ModelParts,
  args: Seq2SeqArgs,
  { examples, texts }: ModelRows,
  { metrics, threads, silent, programs, signal }: EvaluationRun,
): Promise<Evaluation> {
  const progress = new Progress('Evaluating', examples.length, silent);
  const { architecture, weights } = parts;
  // The graph of the loss has no form for few bits.
  const whole = weights.bits === 32 ? weights : dequantizeWeights(weights);
  const loss = await evaluateLoss(architecture, whole, examples, {
    batchSize: args.evalBatchSize,
    threads,
    findDocuments: findDocumentsOf(parts),
    onBatch: (done) => progress.update(done),
    signal,
  });
  progress.finish();
  const results: Record<string, number> = { eval_loss: loss.mean };
  if (architecture.retrieval) results.eval_nll = loss.sum;
  const failures: string[] = [];
  if (metrics.size === 0) return { results, failures };

  const { inputs, truths } = await texts();
  const predictions = await firstAnswers(parts, args, inputs, { threads, silent, programs, signal });
  for (const [name, metric] of metrics) {
    try {
      results[name] = await computeMetric(name, metric, truths, predictions);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  const shown = inputs
    .slice(0, SAMPLES)
    .map((text, i) => ({ source: text, truth: truths[i]!, prediction: predictions[i]! }));
  return { results, failures, samples: samplesTable(shown) };
}

/** The best answer to each text. */
async function firstAnswers(
  parts: ModelParts,
  args: Seq2SeqArgs,
  texts: readonly string[],
  { threads, silent, programs, signal }: Omit<EvaluationRun, 'metrics'>,
): Promise<string[]> {
  // Programs hold the weights as they are when built, so after training steps others are needed.
  const searching = programs ?? new GenerationPrograms(parts.architecture, parts.weights, threads);
  const progress = new Progress('Generating', texts.length, silent);
  try {
    const predictor = new Predictor(parts, { ...args, numReturnSequences: 1 }, searching);
    const predictions = await predictor.predict(texts, { onProgress: (done) => progress.update(done), signal });
    progress.finish();
    return predictions.map(({ answers: [best] }) => best!.text);
  } finally {
    if (!programs) searching.dispose();
  }
}
