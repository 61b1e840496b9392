import type { AttentionNames, BertConfig } from './bert-config.js';
import type { ParameterSpec } from './builder.js';

/** W and b of a projection. */
export function linearSpecs(name: string, rows: number, columns: number, { drawn }: BertConfig): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [rows, columns], initialization: drawn },
    { name: `${name}.bias`, shape: [rows], initialization: { kind: 'zeros' } },
  ];
}

export function normSpecs(name: string, size: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [size], initialization: { kind: 'ones' } },
    { name: `${name}.bias`, shape: [size], initialization: { kind: 'zeros' } },
  ];
}

export function attentionSpecs(names: AttentionNames, config: BertConfig): ParameterSpec[] {
  const { size } = config;
  const projections = [names.query, names.key, names.value, names.output];
  return [...projections.flatMap((name) => linearSpecs(name, size, size, config)), ...normSpecs(names.norm, size)];
}

/**
 * The arrays of a BERT.
 * @param inLayer those that a layer has besides
 */
export function bertSpecs(config: BertConfig, inLayer: readonly ParameterSpec[] = []): ParameterSpec[] {
  const { family, drawn, embeddingSize, size } = config;
  const table = (name: string, rows: number, zeroRow?: number): ParameterSpec => ({
    name: `embeddings.${name}.weight`,
    shape: [rows, embeddingSize],
    initialization: zeroRow === undefined ? drawn : { ...drawn, zeroRow },
  });
  const layer = [
    ...attentionSpecs(family.names.attention, config),
    ...inLayer,
    ...linearSpecs(family.names.intermediate, config.feedForward, size, config),
    ...linearSpecs(family.names.output, size, config.feedForward, config),
    ...normSpecs(family.names.outputNorm, size),
  ];
  return [
    table('word_embeddings', config.vocabSize, config.padTokenId),
    table('position_embeddings', config.positions, family.positionsBehindPadding ? config.padTokenId : undefined),
    ...(family.hasSegments ? [table('token_type_embeddings', config.segments)] : []),
    ...normSpecs('embeddings.LayerNorm', embeddingSize),
    ...(embeddingSize === size ? [] : linearSpecs('embeddings_project', size, embeddingSize, config)),
    ...Array.from({ length: config.layers }, (_, index) => prefixed(`${family.layers}.${index}`, layer)).flat(),
  ];
}

export function prefixed(prefix: string, specs: readonly ParameterSpec[]): ParameterSpec[] {
  return specs.map((spec) => ({
    ...spec,
    name: `${prefix}.${spec.name}`,
    ...(spec.aliases && { aliases: spec.aliases.map((alias) => `${prefix}.${alias}`) }),
    ...(spec.copies && { copies: spec.copies.map((copy) => `${prefix}.${copy}`) }),
  }));
}
