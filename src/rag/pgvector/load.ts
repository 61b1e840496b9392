import { fail } from '../../errors.js';
import type { Passage } from '../passage.js';
import { Connection, type PgvectorSettings, quoted, TABLE, vectorText } from './connection.js';

export interface PassageBatch {
  readonly passages: readonly Passage[];
  /** [passages, dimension] */
  readonly embeddings: Float32Array;
}

export interface LoadPgvectorOptions {
  readonly dimension: number;
  /** Replaces a table of the name. */
  readonly overwrite?: boolean;
  readonly onProgress?: (rows: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Fewer rows than this are compared faster than a graph of them is searched. */
const LEAST_INDEXED = 10_000;
/** pgvector has no graphs of wider vectors. */
const MOST_INDEXED = 2000;

/**
 * Fills a table with passages and their vectors, numbered from 0, in one transaction: work that is stopped or killed leaves
 * everything as it was. Large tables get an HNSW index of inner products.
 */
export async function loadPgvector(
  settings: PgvectorSettings,
  batches: AsyncIterable<PassageBatch> | Iterable<PassageBatch>,
  { dimension, overwrite = false, onProgress, signal }: LoadPgvectorOptions,
): Promise<void> {
  const name = settings.table ?? TABLE;
  const table = quoted(name);
  const connection = await Connection.open(settings);
  try {
    await connection.rows('BEGIN');
    await connection.rows('CREATE EXTENSION IF NOT EXISTS vector');
    const [there] = await connection.rows<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [table]);
    if (there!.there && !overwrite) {
      fail(
        'pgvector',
        `${connection.place} has a table ${name} already. Allow its replacement with overwrite, or choose another.`,
      );
    }
    await connection.rows(`DROP TABLE IF EXISTS ${table}`);
    await connection.rows(
      `CREATE TABLE ${table} (id bigint PRIMARY KEY, title text NOT NULL, text text NOT NULL, embedding vector(${dimension}) NOT NULL)`,
    );
    let rows = 0;
    for await (const { passages, embeddings } of batches) {
      signal?.throwIfAborted();
      if (embeddings.length !== passages.length * dimension) {
        fail(
          'pgvector',
          `${passages.length} passages came with ${embeddings.length} numbers, where each has ${dimension} dimensions.`,
        );
      }
      for (const [i, { title, text }] of passages.entries()) {
        if (`${title}${text}`.includes('\0')) {
          fail('pgvector', `passage ${rows + i} has a NUL character, which PostgreSQL cannot keep. Remove it.`);
        }
      }
      await connection.rows(
        `INSERT INTO ${table} SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]::vector[])`,
        [
          passages.map((_, i) => rows + i),
          passages.map(({ title }) => title),
          passages.map(({ text }) => text),
          passages.map((_, i) => vectorText(embeddings.subarray(i * dimension, (i + 1) * dimension))),
        ],
      );
      rows += passages.length;
      onProgress?.(rows);
    }
    if (rows >= LEAST_INDEXED && dimension <= MOST_INDEXED) {
      await connection.rows(`CREATE INDEX ON ${table} USING hnsw (embedding vector_ip_ops)`);
    }
    await connection.rows('COMMIT');
  } finally {
    // What was not committed is undone with the connection.
    await connection.close();
  }
}
