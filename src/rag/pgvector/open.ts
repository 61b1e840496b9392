import { fail } from '../../errors.js';
import type { Knowledge } from '../knowledge.js';
import type { Passage } from '../passage.js';
import { Connection, type PgvectorSettings, quoted, TABLE, vectorText } from './connection.js';

/** Rows that a search through a graph keeps in sight, where the table has one. */
const EF_SEARCH = 400;

interface Shape {
  readonly count: string;
  readonly dimension: number | null;
  readonly last: string | null;
}

/** Passages in a table of PostgreSQL that {@link loadPgvector} filled, searched by pgvector. */
export async function openPgvector(settings: PgvectorSettings): Promise<Knowledge> {
  const name = settings.table ?? TABLE;
  const table = quoted(name);
  const connection = await Connection.open(settings);
  try {
    const [there] = await connection.rows<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [table]);
    if (!there!.there) {
      fail(
        'pgvector',
        `${connection.place} has no table ${name}. Fill it first: seq2seq index build --index pgvector --index-url …`,
      );
    }
    const [shape] = await connection.rows<Shape>(
      `SELECT count(*) AS count, max(id) AS last, (SELECT vector_dims(embedding) FROM ${table} LIMIT 1) AS dimension FROM ${table}`,
    );
    const count = Number(shape!.count);
    if (count === 0) fail('pgvector', `the table ${name} of ${connection.place} is empty. Fill it again.`);
    if (Number(shape!.last) !== count - 1) {
      fail(
        'pgvector',
        `the table ${name} has ${count} passages, but their numbers go up to ${shape!.last}. Fill it again.`,
      );
    }
    await connection.rows(`SET hnsw.ef_search = ${EF_SEARCH}`);
    return new PgvectorKnowledge(connection, table, count, shape!.dimension!);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

class PgvectorKnowledge implements Knowledge {
  readonly count: number;
  readonly dimension: number;
  readonly #connection: Connection;
  readonly #table: string;

  constructor(connection: Connection, table: string, count: number, dimension: number) {
    this.#connection = connection;
    this.#table = table;
    this.count = count;
    this.dimension = dimension;
  }

  get description(): string {
    return `${this.#table} of ${this.#connection.place} (pgvector, ${this.count} × ${this.dimension})`;
  }

  async search(queries: Float32Array, k: number) {
    const total = queries.length / this.dimension;
    const ids = new Float64Array(total * k).fill(-1);
    const scores = new Float32Array(total * k).fill(-Infinity);
    for (let query = 0; query < total; query++) {
      const vector = vectorText(queries.subarray(query * this.dimension, (query + 1) * this.dimension));
      const rows = await this.#connection.rows<{ id: string; score: number }>(
        `SELECT id, -(embedding <#> $1) AS score FROM ${this.#table} ORDER BY embedding <#> $1 LIMIT $2`,
        [vector, k],
      );
      for (const [place, { id, score }] of rows.entries()) {
        ids[query * k + place] = Number(id);
        scores[query * k + place] = score;
      }
    }
    return { ids, scores };
  }

  async passages(ids: ArrayLike<number>): Promise<Passage[]> {
    const rows = await this.#byId<Passage>(ids, 'title, text');
    return Array.from(ids, (id) => {
      const { title, text } = rows.get(id)!;
      return { title, text };
    });
  }

  async vectors(ids: ArrayLike<number>): Promise<Float32Array> {
    const rows = await this.#byId<{ embedding: string }>(ids, 'embedding::text AS embedding');
    const vectors = new Float32Array(ids.length * this.dimension);
    for (const [row, id] of Array.from(ids).entries()) {
      vectors.set(JSON.parse(rows.get(id)!.embedding) as number[], row * this.dimension);
    }
    return vectors;
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  async #byId<T>(ids: ArrayLike<number>, columns: string): Promise<Map<number, T>> {
    const asked = [...new Set(Array.from(ids))];
    const rows = await this.#connection.rows<T & { id: string }>(
      `SELECT id, ${columns} FROM ${this.#table} WHERE id = ANY($1::bigint[])`,
      [asked],
    );
    const found = new Map(rows.map((row) => [Number(row.id), row as T]));
    const lost = asked.find((id) => !found.has(id));
    if (lost !== undefined) fail('pgvector', `${this.#table} has no passage ${lost}. Was it changed meanwhile?`);
    return found;
  }
}
