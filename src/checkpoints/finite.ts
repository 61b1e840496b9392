import { fail } from '../errors.js';

/** Refuses NaN and infinity, naming the weight; one pass where all is well. */
export function checkFinite(name: string, data: Float32Array): void {
  // 0·x is 0 for every finite x and NaN for the others, and NaN stays in the sum.
  let zero = 0;
  for (let i = 0; i < data.length; i++) zero += data[i]! * 0;
  if (zero === 0) return;

  let count = 0;
  let first = -1;
  for (let i = 0; i < data.length; i++) {
    if (Number.isFinite(data[i])) continue;
    if (count++ === 0) first = i;
  }
  fail(
    'checkpoint',
    `${name} has ${count} of ${data.length} elements that are not finite numbers, the first at ${first} (${data[first]}). ` +
      'The weights are damaged or come from a training that diverged: take an earlier checkpoint.',
  );
}
