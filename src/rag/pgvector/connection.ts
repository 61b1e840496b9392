import type { Client } from 'pg';
import { fail } from '../../errors.js';

export interface PgvectorSettings {
  /** `postgres://user:password@host:port/database` */
  readonly url: string;
  /** Its name, behind that of a schema and a dot where it is not in the search path. */
  readonly table?: string | undefined;
}

export const TABLE = 'seq2seq_passages';

/** What went wrong by PostgreSQL's or Node's code for it, and what to do. */
const REMEDIES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Is the server running there?',
  ENOTFOUND: 'Check the name of the host.',
  ETIMEDOUT: 'Check host and port.',
  '28P01': 'Check user and password.',
  '28000': 'Check user and password.',
  '3D000': 'Create the database first.',
  '42501': 'Ask the owner of the database for the right to.',
  '0A000': 'Install the extension pgvector on the server.',
  '58P01': 'Install the extension pgvector on the server.',
  '42704': 'Install the extension pgvector in this database: CREATE EXTENSION vector.',
};

/** A connection; every error names the database, never the password. */
export class Connection {
  readonly place: string;
  readonly #client: Client;

  private constructor(client: Client, place: string) {
    this.#client = client;
    this.place = place;
  }

  static async open({ url }: PgvectorSettings): Promise<Connection> {
    const place = withoutPassword(url);
    const { Client } = (await import('pg')).default;
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
    // One that is lost between two questions shows at the next.
    client.on('error', () => {});
    await client.connect().catch((error: unknown) => explain(error, place, 'cannot be reached'));
    return new Connection(client, place);
  }

  async rows<T>(sql: string, values: readonly unknown[] = []): Promise<T[]> {
    try {
      return (await this.#client.query(sql, [...values])).rows as T[];
    } catch (error) {
      return explain(error, this.place, 'refuses');
    }
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}

function explain(error: unknown, place: string, what: string): never {
  const { code = '', message } = error as Error & { code?: string };
  return fail(
    'pgvector',
    `${place} ${what}: ${message}. ${REMEDIES[code] ?? 'Check the address of the database.'}`,
    error,
  );
}

function withoutPassword(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return fail('pgvector', 'indexUrl is no address. It is of the form postgres://user:password@host:5432/database.');
  }
  if (!/^postgres(ql)?:$/.test(parsed.protocol)) {
    fail(
      'pgvector',
      `indexUrl begins with ${parsed.protocol}//. It is of the form postgres://user:password@host:5432/database.`,
    );
  }
  parsed.password = '';
  return parsed.href;
}

/** A table's name as SQL has it. */
export function quoted(table: string): string {
  const parts = table.split('.');
  if (parts.length > 2 || parts.some((part) => part === '')) {
    fail('pgvector', `"${table}" is no name of a table. Give a name, or a schema and a name with a dot between them.`);
  }
  return parts.map((part) => `"${part.replaceAll('"', '""')}"`).join('.');
}

/** A vector as pgvector reads it. */
export const vectorText = (vector: Float32Array) => `[${vector.join(',')}]`;
