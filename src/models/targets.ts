import type { TaughtTarget } from './architecture.js';

/** The decoder reads `start` and the labels but the last: BART's `shift_tokens_right`. */
export function shiftedBehind(start: number, labels: Int32Array): TaughtTarget {
  const decoderInput = new Int32Array(labels.length);
  decoderInput[0] = start;
  decoderInput.set(labels.subarray(0, -1), 1);
  return { decoderInput, labels };
}
