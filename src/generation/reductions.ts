/** The largest of the values; -Infinity of none. */
export function largestOf(values: Float32Array): number {
  let largest = -Infinity;
  for (let at = 0; at < values.length; at++) if (values[at]! > largest) largest = values[at]!;
  return largest;
}

/** Σ exp(value - largest): the mass that probabilities are parts of, in f64. */
export function massOf(values: Float32Array, largest: number): number {
  let mass = 0;
  for (let at = 0; at < values.length; at++) mass += Math.exp(values[at]! - largest);
  return mass;
}

/** log Σ exp(values), in f64. */
export function logSumExp(values: Float32Array): number {
  const largest = largestOf(values);
  return largest + Math.log(massOf(values, largest));
}

/** In place: value - log Σ exp(values). In f64 and rounded once, which is within an f32 rounding of PyTorch's. */
export function logSoftmax(values: Float32Array): void {
  const normalizer = logSumExp(values);
  for (let at = 0; at < values.length; at++) values[at]! -= normalizer;
}
