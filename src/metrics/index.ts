/** Measures of generated texts against the true ones. */
export { bleu } from './bleu.js';
export { chrf } from './chrf.js';
export { cer, exactMatch, per, wer } from './error-rates.js';
export {
  builtInMetrics,
  computeMetric,
  type MetricFunction,
  type MetricName,
  type Metrics,
  metricSignatures,
  resolveMetrics,
  withSignatures,
} from './metric.js';
export { rouge1, rouge2, rougeL, rougeLsum } from './rouge.js';
