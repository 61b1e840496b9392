import { fail } from '../errors.js';
import type { TaughtTarget } from './architecture.js';

/** The decoder reads `start` and the labels but the last: BART's `shift_tokens_right`. */
export function shiftedBehind(start: number, labels: Int32Array): TaughtTarget {
  const decoderInput = new Int32Array(labels.length);
  decoderInput[0] = start;
  decoderInput.set(labels.subarray(0, -1), 1);
  return { decoderInput, labels };
}

/** Of a target `[CLS] … [SEP]` the decoder reads all but the end and answers all but the start. */
export function behindItself(target: Int32Array): TaughtTarget {
  if (target.length < 2) {
    fail(
      'data',
      `a target has ${target.length} tokens; it needs a first and a last one. Raise maxTargetLength to 2 or more.`,
    );
  }
  return { decoderInput: target.subarray(0, -1), labels: target.subarray(1) };
}
