/** Retrieval: knowledge as passages with vectors, and finding those that a question is about. */
export { buildKnowledge, type IndexSettings, openIndexed } from './build.js';
export { findDataset } from './dataset/index.js';
export { asDpr } from './dpr-checkpoint.js';
export { DprTextEncoder } from './dpr-text-encoder.js';
export { encoderNameOf } from './embedding.js';
export type { IndexType } from './faiss/index.js';
export type { IndexedDataset } from './indexed-dataset.js';
export type { Knowledge } from './knowledge.js';
export { openLegacyKnowledge } from './legacy.js';
export type { Passage } from './passage.js';
export type { PassageOptions } from './passages/index.js';
export { loadPgvector, openPgvector, type PgvectorSettings } from './pgvector/index.js';
export { QuestionEncoder } from './question-encoder.js';
export { checkKnowledge, type Retrieved, type RetrievedDocument, Retriever } from './retriever.js';
export { temporaryDirectory } from './temporary.js';
