import { Seq2SeqError } from '../../errors.js';
import type { DecodeOptions, EncodeOptions, PackedTokens, Tokenizer } from '../tokenizer.js';

/** Why a text could not be tokenised, in a form that goes from thread to thread. */
export interface TextFailure {
  area: string;
  message: string;
}

/** The tokens of the texts before the first that fails, or before the time is up. */
export interface PackedRun extends PackedTokens {
  failure?: TextFailure;
}

/** The texts of some tokens, those before the first that fails. */
export interface DecodedRun {
  texts: string[];
  failure?: TextFailure;
}

const TOKENS_A_TEXT = 16;

/** Tokenises the texts of [start, end) until `ms` milliseconds have passed, but at least one. */
export function packTexts(
  tokenizer: Tokenizer,
  texts: readonly string[],
  options: EncodeOptions,
  { start = 0, end = texts.length, ms = Number.POSITIVE_INFINITY } = {},
): PackedRun {
  const stop = performance.now() + ms;
  const offsets = new Uint32Array(end - start + 1);
  let ids = new Int32Array(TOKENS_A_TEXT * (end - start));
  let length = 0;
  let count = 0;
  let cut = 0;
  let failure: TextFailure | undefined;
  do {
    try {
      const encoded = encodeWithin(tokenizer, texts[start + count]!, options);
      if (encoded.wasCut) cut++;
      if (length + encoded.ids.length > ids.length) {
        const larger = new Int32Array(2 * (length + encoded.ids.length));
        larger.set(ids.subarray(0, length));
        ids = larger;
      }
      ids.set(encoded.ids, length);
      length += encoded.ids.length;
    } catch (error) {
      failure = failureOf(error);
      break;
    }
    offsets[++count] = length;
  } while (start + count < end && performance.now() < stop);
  const packed = { ids: ids.slice(0, length), offsets: offsets.slice(0, count + 1), cut };
  return failure ? { ...packed, failure } : packed;
}

/** The texts of tokens: text i is of ids[offsets[i] … offsets[i + 1]). */
export function unpackTokens(
  tokenizer: Tokenizer,
  ids: Int32Array,
  offsets: Uint32Array,
  options: DecodeOptions,
): DecodedRun {
  const texts: string[] = [];
  try {
    for (let i = 1; i < offsets.length; i++) {
      texts.push(tokenizer.decode(ids.subarray(offsets[i - 1], offsets[i]), options));
    }
    return { texts };
  } catch (error) {
    return { texts, failure: failureOf(error) };
  }
}

/** One token more than fits tells whether a text is too long, without going on to its end. */
function encodeWithin(tokenizer: Tokenizer, text: string, options: EncodeOptions) {
  const { maxLength = Number.POSITIVE_INFINITY } = options;
  const ids = tokenizer.encode(text, { ...options, maxLength: maxLength + 1 });
  const wasCut = ids.length > maxLength;
  return { ids: wasCut ? tokenizer.encode(text, options) : ids, wasCut };
}

function failureOf(error: unknown): TextFailure {
  if (!(error instanceof Seq2SeqError)) return { area: 'tokenizer', message: String(error) };
  return { area: error.area, message: error.message.slice(error.area.length + 2) };
}
