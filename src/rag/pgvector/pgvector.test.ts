import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Postgres, startPostgres } from '../../../tests/postgres.js';
import { Random } from '../../data/index.js';
import type { Passage } from '../passage.js';
import { loadPgvector, openPgvector } from './index.js';

const [COUNT, DIMENSION] = [250, 9];
const random = new Random(4, 0);
const vectors = Float32Array.from({ length: COUNT * DIMENSION }, () => random.next() - 0.5);
const passages: Passage[] = Array.from({ length: COUNT }, (_, i) => ({
  title: `"t" ${i}`,
  text: `text\t'é' ${i} \\ 日本`,
}));

function* batches(rows = 60, changed = passages) {
  for (let start = 0; start < COUNT; start += rows) {
    const end = Math.min(COUNT, start + rows);
    yield { passages: changed.slice(start, end), embeddings: vectors.subarray(start * DIMENSION, end * DIMENSION) };
  }
}

const message = (work: Promise<unknown>) =>
  work.then(
    () => 'no error',
    (error: Error) => error.message,
  );

it('refuses addresses that are none, and never shows a password', async () => {
  expect(await message(openPgvector({ url: 'nothing' }))).toContain('pgvector: indexUrl is no address.');
  expect(await message(openPgvector({ url: 'http://x/y' }))).toContain('indexUrl begins with http://');
  const refused = await message(openPgvector({ url: 'postgres://me:hidden@127.0.0.1:1/db' }));
  expect(refused).toContain('postgres://me@127.0.0.1:1/db cannot be reached');
  expect(refused).not.toContain('hidden');
});

const server: Postgres | undefined = await startPostgres();

describe.skipIf(server === undefined)('with a server', () => {
  const url = server?.url ?? '';

  afterAll(() => server?.stop());

  beforeAll(async () => {
    expect(await message(openPgvector({ url }))).toContain('has no table seq2seq_passages');
    await loadPgvector({ url }, batches(), { dimension: DIMENSION });
  });

  it('finds what comparing all finds, with passages and vectors', async () => {
    const knowledge = await openPgvector({ url });
    expect([knowledge.count, knowledge.dimension]).toEqual([COUNT, DIMENSION]);
    const queries = vectors.subarray(30 * DIMENSION, 33 * DIMENSION);
    const { ids, scores } = await knowledge.search(queries, 4);
    for (let query = 0; query < 3; query++) {
      const score = (row: number) => {
        let total = 0;
        for (let i = 0; i < DIMENSION; i++) total += queries[query * DIMENSION + i]! * vectors[row * DIMENSION + i]!;
        return total;
      };
      const order = passages.map((_, row) => row).sort((a, b) => score(b) - score(a));
      expect([...ids.subarray(query * 4, query * 4 + 4)]).toEqual(order.slice(0, 4));
      for (let place = 0; place < 4; place++) {
        expect(Math.abs(scores[query * 4 + place]! - score(order[place]!))).toBeLessThan(1e-6);
      }
    }
    expect(await knowledge.passages([7, 3, 7])).toEqual([passages[7], passages[3], passages[7]]);
    expect(await knowledge.vectors([5, 0])).toEqual(
      Float32Array.from([...vectors.subarray(5 * DIMENSION, 6 * DIMENSION), ...vectors.subarray(0, DIMENSION)]),
    );
    expect(await message(knowledge.passages([COUNT]))).toContain(`has no passage ${COUNT}`);
    await knowledge.close();
  });

  it('does not touch a table that is there, unless it may', async () => {
    expect(await message(loadPgvector({ url }, batches(), { dimension: DIMENSION }))).toContain('has a table');
    await loadPgvector({ url }, batches(100), { dimension: DIMENSION, overwrite: true });
  });

  it('leaves everything as it was when loading fails or is stopped', async () => {
    const bad = passages.map((passage, i) => (i === 200 ? { ...passage, text: 'a\0b' } : passage));
    const loading = loadPgvector({ url }, batches(60, bad), { dimension: DIMENSION, overwrite: true });
    expect(await message(loading)).toContain('passage 200 has a NUL character');
    const stop = new AbortController();
    const onProgress = () => stop.abort(new Error('stopped'));
    const stopped = loadPgvector({ url }, batches(), {
      dimension: DIMENSION,
      overwrite: true,
      onProgress,
      signal: stop.signal,
    });
    expect(await message(stopped)).toBe('stopped');
    expect(await message(loadPgvector({ url }, batches(), { dimension: 4, overwrite: true }))).toContain('dimensions');
    const knowledge = await openPgvector({ url });
    expect(knowledge.count).toBe(COUNT);
    await knowledge.close();
  });

  it('takes a table of another name, in a schema as well', async () => {
    const table = 'public.my "table"';
    await loadPgvector({ url, table }, batches(), { dimension: DIMENSION });
    const knowledge = await openPgvector({ url, table });
    expect(knowledge.count).toBe(COUNT);
    await knowledge.close();
    expect(await message(openPgvector({ url, table: 'a.b.c' }))).toContain('is no name of a table');
  });

  it('says what is wrong with a password', async () => {
    const wrong = url.replace('secret', 'wrong');
    const said = await message(openPgvector({ url: wrong }));
    expect(said).toContain('Check user and password.');
    expect(said).not.toContain('wrong@');
  });
});
