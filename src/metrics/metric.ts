/** A number for predictions, given in the order of the true texts; higher or lower may be better. */
export type MetricFunction = (truths: readonly string[], predictions: readonly string[]) => number | Promise<number>;
