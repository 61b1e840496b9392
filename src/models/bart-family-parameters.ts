import type { BartConfig, BartTraits, Side } from './bart-family-config.js';
import type { ParameterSpec } from './builder.js';

/** Added to the logits; Marian's checkpoints bring one, the others' is zero. */
export const LOGITS_BIAS = 'final_logits_bias';

/** Every array of a model of the family, in the checkpoint's order. */
export function bartParameters(config: BartConfig, traits: BartTraits): ParameterSpec[] {
  const { size } = config;
  const drawn = { kind: 'normal', std: config.initStd } as const;
  const linear = (name: string, rows: number, columns: number): ParameterSpec[] => [
    { name: `${name}.weight`, shape: [rows, columns], initialization: drawn },
    { name: `${name}.bias`, shape: [rows], initialization: { kind: 'zeros' } },
  ];
  const norm = (name: string): ParameterSpec[] => [
    { name: `${name}.weight`, shape: [size], initialization: { kind: 'ones' } },
    { name: `${name}.bias`, shape: [size], initialization: { kind: 'zeros' } },
  ];
  const attention = (name: string): ParameterSpec[] =>
    ['k_proj', 'v_proj', 'q_proj', 'out_proj'].flatMap((projection) => linear(`${name}.${projection}`, size, size));

  const positions = (side: Side): ParameterSpec => {
    const name = `model.${side}.embed_positions.weight`;
    if (traits.positions.kind === 'learned')
      return { name, shape: [config.maxPositions + traits.positions.offset, size], initialization: drawn };
    // Checkpoints since 2020 leave them out; those that hold them are believed, as by Transformers.
    return {
      name,
      shape: [config.maxPositions, size],
      initialization: { kind: 'sinusoidal' },
      buffer: true,
      optional: true,
    };
  };

  const layer = (side: Side, block: string): ParameterSpec[] => [
    ...attention(`${block}.self_attn`),
    ...norm(`${block}.self_attn_layer_norm`),
    ...(side === 'decoder' ? [...attention(`${block}.encoder_attn`), ...norm(`${block}.encoder_attn_layer_norm`)] : []),
    ...linear(`${block}.fc1`, config.feedForward[side], size),
    ...linear(`${block}.fc2`, size, config.feedForward[side]),
    ...norm(`${block}.final_layer_norm`),
  ];

  const stack = (side: Side): ParameterSpec[] => [
    positions(side),
    ...Array.from({ length: config.layers[side] }, (_, index) => layer(side, `model.${side}.layers.${index}`)).flat(),
    ...(traits.normalizesEmbeddings ? norm(`model.${side}.layernorm_embedding`) : []),
    ...(traits.norm === 'before' ? norm(`model.${side}.layer_norm`) : []),
  ];

  return [
    ...embeddings(config),
    ...stack('encoder'),
    ...stack('decoder'),
    ...(config.tied
      ? []
      : [{ name: 'lm_head.weight', shape: [config.vocabSizes.decoder, size], initialization: drawn }]),
    {
      name: LOGITS_BIAS,
      shape: [1, config.vocabSizes.decoder],
      initialization: { kind: 'zeros' },
      buffer: true,
      optional: true,
    },
  ];
}

function embeddings({ embeddings, vocabSizes, size, shared, tied, padTokenId, initStd }: BartConfig): ParameterSpec[] {
  const table = (side: Side, aliases: string[], copies: string[] = []): ParameterSpec => ({
    name: embeddings[side],
    shape: [vocabSizes[side], size],
    initialization: { kind: 'normal', std: initStd, zeroRow: padTokenId },
    aliases: [...aliases, ...(tied && side === 'decoder' ? ['lm_head.weight'] : [])],
    copies,
  });
  if (!shared) return [table('encoder', []), table('decoder', [])];
  const names = ['model.encoder.embed_tokens.weight', 'model.decoder.embed_tokens.weight'];
  // Transformers leaves both random, without a word, when an untied checkpoint lacks them.
  return [table('decoder', names, tied ? [] : names)];
}
