import type { Tokenizers } from './data/index.js';
import {
  checkVocabulary,
  joinedConfig,
  type ModelParts,
  targetSizeOf,
  withSpecialIds,
  withVocabularySizes,
} from './model-parts.js';
import { type ModelType, modelTypes } from './model-types.js';
import { architectureOf, type JsonObject, ModelWeights } from './models/index.js';

/**
 * A model that starts from its configuration alone, with weights drawn as the architecture initialises them. Sizes of
 * vocabularies and ids of special tokens may be left to the tokenizers.
 */
export function createFreshModel(given: JsonObject, type: ModelType, tokenizers: Tokenizers, seed: number): ModelParts {
  const config = withSpecialIds(withTokens(typed(given, type), tokenizers), tokenizers);
  const architecture = architectureOf(config, type, 'the config');
  checkVocabulary(tokenizers, architecture);
  const weights = new ModelWeights(architecture.parameters);
  weights.initialize(seed);
  return {
    architecture,
    weights,
    tokenizers,
    config: { ...architecture.generationDefaults, ...config },
    generationConfig: undefined,
  };
}

function typed(config: JsonObject, type: ModelType): JsonObject {
  if (modelTypes[type] !== 'encoder-decoder') return { model_type: modelTypes[type], ...config };
  const side = (name: 'encoder' | 'decoder', modelType: string) => ({
    model_type: modelType,
    ...((config[name] ?? {}) as JsonObject),
  });
  const joined = joinedConfig(side('encoder', type), side('decoder', 'bert'));
  return { ...joined, ...config, encoder: joined.encoder, decoder: joined.decoder };
}

/** Fills in what only the tokenizers know. */
function withTokens(config: JsonObject, { source, target }: Tokenizers): JsonObject {
  if (config.model_type === 'encoder-decoder') {
    const { encoder, decoder } = config as { encoder: JsonObject; decoder: JsonObject };
    return {
      ...config,
      encoder: { vocab_size: source.vocabSize, ...idsOf(source.special, 'pad'), ...encoder },
      decoder: { vocab_size: targetSizeOf(target), ...idsOf(target.special, 'pad'), ...decoder },
    };
  }
  const { special } = target;
  const isMarian = config.model_type === 'marian';
  const start = isMarian ? special.pad : special.eos;
  // A tokenizer with a vocabulary for each side is of no use to shared embeddings.
  const apart = target.targetVocabSize === undefined ? {} : { share_encoder_decoder_embeddings: false };
  const sized =
    config.vocab_size === undefined
      ? withVocabularySizes({ ...apart, ...config }, source.vocabSize, targetSizeOf(target))
      : config;
  return {
    ...idsOf(special, 'bos', 'pad', 'eos'),
    ...(start !== undefined && { decoder_start_token_id: start }),
    // As published Marians have it: what a decoder starts from is no answer.
    ...(isMarian && special.pad !== undefined && { bad_words_ids: [[special.pad]] }),
    ...(special.eos !== undefined && { forced_eos_token_id: special.eos }),
    ...sized,
  };
}

function idsOf(special: Tokenizers['source']['special'], ...roles: ('bos' | 'pad' | 'eos')[]): JsonObject {
  return Object.fromEntries(
    roles.filter((role) => special[role] !== undefined).map((role) => [`${role}_token_id`, special[role]]),
  );
}
