import type { Seq2SeqArchitecture } from './architecture.js';
import { bartFamily } from './bart-family.js';
import type { BartTraits } from './bart-family-config.js';
import type { JsonObject } from './config.js';
import { shiftedBehind } from './targets.js';

const traits: BartTraits = {
  type: 'bart',
  className: 'BartForConditionalGeneration',
  // fairseq once kept its padding in the first rows.
  positions: { kind: 'learned', offset: 2 },
  normalizesEmbeddings: true,
  norm: 'after',
  generationDefaults: {
    bos_token_id: 0,
    pad_token_id: 1,
    eos_token_id: 2,
    decoder_start_token_id: 2,
    forced_eos_token_id: 2,
  },
  teach: (labels, config) => shiftedBehind(config.decoderStartTokenId!, labels),
};

/** BART (Lewis et al. 2020), as Transformers' `BartForConditionalGeneration` computes it. */
export function bart(json: JsonObject): Seq2SeqArchitecture {
  return bartFamily(json, traits);
}
