/** Generation: one search for all models, exactly as Transformers' `generate` for encoder-decoder models. */
export { generate, generateOverDocuments } from './generate.js';
export type { LogitsProcessor } from './logits-processor.js';
export type { ReadDocuments } from './marginal-decoder.js';
export { type GenerationArgs, type GenerationOptions, resolveGenerationOptions } from './options.js';
export { GenerationPrograms } from './programs.js';
export { generateBySequence } from './rag-sequence.js';
export type { Sequence } from './row-group.js';
export { type SearchHooks, search } from './search.js';
export type { BestTokens, StepDecoder } from './step-decoder.js';
