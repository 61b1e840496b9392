import type { Seq2SeqArchitecture, TaughtTarget } from './architecture.js';
import { bartFamily } from './bart-family.js';
import type { BartTraits } from './bart-family-config.js';
import type { JsonObject } from './config.js';

const traits: Omit<BartTraits, 'type' | 'languageCode'> = {
  className: 'MBartForConditionalGeneration',
  positions: { kind: 'learned', offset: 2 },
  normalizesEmbeddings: true,
  norm: 'before',
  generationDefaults: { bos_token_id: 0, pad_token_id: 1, eos_token_id: 2, forced_eos_token_id: 2 },
  teach: (labels, { padTokenId }) => rotated(labels, padTokenId),
};

/**
 * mBART (Liu et al. 2020) and mBART-50 (Tang et al. 2020), as Transformers' `MBartForConditionalGeneration` computes them:
 * one architecture, but the language code ends mBART's targets and begins mBART-50's.
 */
export function mbart(json: JsonObject, type: string): Seq2SeqArchitecture {
  const languageCode = type === 'mbart50' ? 'forcedBosTokenId' : 'decoderStartTokenId';
  return bartFamily(json, { ...traits, type, languageCode });
}

/** The decoder reads the last token that is no padding, mBART's language code, and then the labels but the last. */
function rotated(labels: Int32Array, padTokenId: number): TaughtTarget {
  const decoderInput = new Int32Array(labels.length);
  decoderInput[0] = labels.findLast((id) => id !== padTokenId) ?? padTokenId;
  decoderInput.set(labels.subarray(0, -1), 1);
  return { decoderInput, labels };
}
