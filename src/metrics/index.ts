/** Measures of generated texts against the true ones. */
export type { MetricFunction } from './metric.js';
