/** Retrieval: knowledge as passages with vectors, and finding those that a question is about. */
export { asDpr } from './dpr-checkpoint.js';
export type { Knowledge, SearchResults } from './knowledge.js';
export type { Passage } from './passage.js';
export { checkKnowledge, type Retrieved, type RetrievedDocument, Retriever } from './retriever.js';
