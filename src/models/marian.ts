import type { Seq2SeqArchitecture } from './architecture.js';
import { bartFamily } from './bart-family.js';
import type { BartTraits } from './bart-family-config.js';
import type { JsonObject } from './config.js';
import { shiftedBehind } from './targets.js';

const traits: BartTraits = {
  type: 'marian',
  className: 'MarianMTModel',
  positions: { kind: 'sinusoidal' },
  normalizesEmbeddings: false,
  norm: 'after',
  generationDefaults: {
    pad_token_id: 58100,
    eos_token_id: 0,
    decoder_start_token_id: 58100,
    forced_eos_token_id: 0,
  },
  teach: (labels, config) => shiftedBehind(config.decoderStartTokenId!, labels),
};

/** Marian's transformer (Junczys-Dowmunt et al. 2018), the OPUS-MT models', as Transformers' `MarianMTModel` computes it. */
export function marian(json: JsonObject): Seq2SeqArchitecture {
  return bartFamily(json, traits);
}
