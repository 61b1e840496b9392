/** Passages in PostgreSQL, found by its extension pgvector. */
export type { PgvectorSettings } from './connection.js';
export { loadPgvector, type PassageBatch } from './load.js';
export { openPgvector } from './open.js';
