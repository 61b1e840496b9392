import type { Seq2SeqArgs } from './args/index.js';
import { fail } from './errors.js';
import { type MetricFunction, type Metrics, resolveMetrics } from './metrics/index.js';

/** Said of generated texts when they are to be evaluated and no metric is named. */
const USUAL_METRICS = ['bleu', 'chrf', 'exactMatch'];

/** Metrics that are asked for by option or by argument. */
export function metricsOf(args: Seq2SeqArgs, given: Metrics = []): ReadonlyMap<string, MetricFunction> {
  const asked = new Map([...resolveMetrics(args.metrics), ...resolveMetrics(given)]);
  return asked.size === 0 && args.evaluateGeneratedText ? resolveMetrics(USUAL_METRICS) : asked;
}

/** What evaluating while training needs is asked for before the first step. */
export function requireEvaluation(
  { evaluateDuringTraining, useEarlyStopping, earlyStoppingMetric }: Seq2SeqArgs,
  metrics: ReadonlyMap<string, MetricFunction>,
  evalData: unknown,
): void {
  if (!evaluateDuringTraining) {
    if (useEarlyStopping) {
      fail('args', 'useEarlyStopping needs evaluations while training. Set evaluateDuringTraining, and give evalData.');
    }
    return;
  }
  if (evalData === undefined) {
    fail('trainModel', 'evaluateDuringTraining is set, but there are no rows to evaluate on. Give evalData.');
  }
  const produced = ['eval_loss', ...metrics.keys()];
  if (!produced.includes(earlyStoppingMetric)) {
    fail(
      'args',
      `earlyStoppingMetric is "${earlyStoppingMetric}", which no evaluation produces: there will be ${produced.join(', ')}. ` +
        'Name one of these, or give that metric.',
    );
  }
}
