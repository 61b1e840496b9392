import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../tests/support.js';
import { Random } from '../../data/index.js';
import { buildIndex, FaissReader, openIndex, readIndexFile, writeIndexFile } from './index.js';
import { Distances, VectorStore } from './vector-store.js';

const fixtures = fileURLToPath(new URL('../../../tests/fixtures/faiss', import.meta.url));
const folder = temporaryFolder();
const { queries, results } = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8')) as {
  queries: number[][];
  results: Record<string, { ids: number[][]; scores: number[][]; k: number }>;
};

/** Vectors around some centres, which are always the same. */
function clustered(count: number, dimension: number, seed = 1): Float32Array {
  const places = new Random(0, 0);
  const random = new Random(seed, 0);
  const centres = Float32Array.from({ length: 20 * dimension }, () => places.next() - 0.5);
  return Float32Array.from({ length: count * dimension }, (_, i) => {
    const centre = Math.floor(i / dimension) % 20;
    return centres[centre * dimension + (i % dimension)]! + 0.3 * (random.next() - 0.5);
  });
}

const sourceOf = (vectors: Float32Array, dimension: number, rows = 97) => ({
  count: vectors.length / dimension,
  dimension,
  *batches() {
    for (let i = 0; i < vectors.length; i += rows * dimension) yield vectors.subarray(i, i + rows * dimension);
  },
});

/** The vectors of an index in memory, as they are written. */
function vectorsOf(file: string): Float32Array[] {
  const reader = new FaissReader(file);
  const index = readIndexFile(reader);
  const inner = index.kind === 'map' ? index.index : index;
  const flat = inner.kind === 'hnsw' ? inner.storage : inner;
  const vectors = new Float32Array(flat.header.count * flat.header.dimension);
  reader.file.read(flat.position, vectors);
  reader.file.close();
  return [vectors];
}

describe.each(Object.entries(results))('an index of Faiss: %s', (name, { ids, scores, k }) => {
  const file = join(fixtures, `${name}.faiss`);

  it.each([Number.POSITIVE_INFINITY, 0])('finds what Faiss finds, of at most %d bytes in memory', async (maxMemory) => {
    const index = await openIndex(file, { maxMemory });
    const found = await index.search(Float32Array.from(queries.flat()), k);
    expect([...found.ids]).toEqual(ids.flat());
    for (const [i, score] of scores.flat().entries()) {
      if (ids.flat()[i]! < 0) continue;
      expect(Math.abs(found.scores[i]! - score)).toBeLessThan(1e-5 * Math.max(1, Math.abs(score)));
    }
    index.close();
  });

  it('is written again byte for byte', async () => {
    const reader = new FaissReader(file);
    const copy = join(folder, `${name}.copy`);
    await writeIndexFile(copy, readIndexFile(reader), () => vectorsOf(file));
    reader.file.close();
    expect(readFileSync(copy).equals(readFileSync(file))).toBe(true);
  });

  it('is refused wherever it is cut, without delay', async () => {
    const bytes = readFileSync(file);
    const cut = join(folder, `${name}.cut`);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), async (length) => {
        writeFileSync(cut, bytes.subarray(0, length));
        await expect(openIndex(cut)).rejects.toThrow(/^index: .*cut /);
      }),
      { numRuns: 60 },
    );
    writeFileSync(cut, Buffer.concat([bytes, Buffer.of(1)]));
    await expect(openIndex(cut)).rejects.toThrow('goes on for 1 bytes behind its index');
  });

  it('is refused, or searched within its bounds, whatever its numbers are changed to', async () => {
    const bytes = readFileSync(file);
    const changed = join(folder, `${name}.changed`);
    await fc.assert(
      fc.asyncProperty(fc.nat(Math.min(bytes.length, 400) - 1), fc.nat(255), async (at, value) => {
        const copy = Buffer.from(bytes);
        copy[at] = value;
        writeFileSync(changed, copy);
        try {
          const index = await openIndex(changed);
          const { ids: found } = await index.search(Float32Array.from(queries.flat()), k);
          expect(found.every((id) => Number.isInteger(id))).toBe(true);
          index.close();
        } catch (error) {
          expect((error as Error).name).toBe('Seq2SeqError');
        }
      }),
      { numRuns: 60 },
    );
  });
});

it('names the kind of an index that is not read', async () => {
  const file = join(folder, 'other.faiss');
  writeFileSync(file, Buffer.concat([Buffer.from('IwPQ'), Buffer.alloc(64)]));
  await expect(openIndex(file)).rejects.toThrow(`${file} is an IndexIVFPQ, which is not read here.`);
  writeFileSync(file, 'hello, world');
  await expect(openIndex(file)).rejects.toThrow('is no index of Faiss: it begins with "hell"');
  await expect(openIndex(join(folder, 'none'))).rejects.toThrow('cannot be opened');
});

it('refuses vectors that are not finite, in files and before they are written', async () => {
  const bytes = readFileSync(join(fixtures, 'flat_ip.faiss'));
  bytes.writeFloatLE(Number.NaN, bytes.length - 8);
  const file = join(folder, 'nan.faiss');
  writeFileSync(file, bytes);
  await expect(openIndex(file)).rejects.toThrow(/has NaN in vector \d+/);
  const vectors = Float32Array.of(1, 2, 3, Number.POSITIVE_INFINITY);
  const building = buildIndex(join(folder, 'x'), sourceOf(vectors, 2), { type: 'IndexFlatIP' });
  await expect(building).rejects.toThrow('vector 1 has Infinity');
});

describe('buildIndex', () => {
  it.each(['IndexFlatIP', 'IndexFlatL2'] as const)('builds an %s that compares all', async (type) => {
    const vectors = clustered(300, 12);
    const file = join(folder, `${type}.faiss`);
    await buildIndex(file, sourceOf(vectors, 12), { type });
    const index = await openIndex(file);
    const query = vectors.subarray(120, 132);
    const { ids, scores } = await index.search(query, 4);
    const score = (row: number) => {
      const own = vectors.subarray(row * 12, row * 12 + 12);
      return type === 'IndexFlatIP'
        ? own.reduce((sum, x, i) => sum + x * query[i]!, 0)
        : -own.reduce((sum, x, i) => sum + (x - query[i]!) ** 2, 0);
    };
    const order = Array.from({ length: 300 }, (_, row) => row).sort((a, b) => score(b) - score(a) || a - b);
    expect([...ids]).toEqual(order.slice(0, 4));
    expect(Math.abs(scores[3]! - Math.abs(score(order[3]!)))).toBeLessThan(1e-5);
    index.close();
  });

  it.each(['inner-product', 'l2'] as const)(
    'builds a graph that finds nearly all of the best by %s',
    async (metric) => {
      const vectors = clustered(3000, 24);
      const source = sourceOf(vectors, 24);
      const [graph, flat] = [join(folder, `graph-${metric}`), join(folder, `flat-${metric}`)];
      await buildIndex(graph, source, { type: 'IndexHNSWFlat', m: 16, metric });
      await buildIndex(flat, source, { type: metric === 'l2' ? 'IndexFlatL2' : 'IndexFlatIP' });
      const queries = clustered(100, 24, 7);
      const [a, b] = [await openIndex(graph), await openIndex(flat)];
      const [found, wanted] = [await a.search(queries, 5), await b.search(queries, 5)];
      let hits = 0;
      for (let q = 0; q < 100; q++) {
        const best = new Set(wanted.ids.subarray(q * 5, q * 5 + 5));
        for (const id of found.ids.subarray(q * 5, q * 5 + 5)) if (best.has(id)) hits++;
      }
      expect(hits / 500).toBeGreaterThanOrEqual(0.99);
      expect(a.description).toContain('IndexHNSWFlat');
      const again = join(folder, `again-${metric}`);
      await buildIndex(again, source, { type: 'IndexHNSWFlat', m: 16, metric });
      expect(readFileSync(again).equals(readFileSync(graph))).toBe(true);
    },
  );

  it('leaves nothing behind when it is stopped', async () => {
    const stop = new AbortController();
    const source = { ...sourceOf(clustered(100, 4), 4), batches: () => [new Float32Array(4)] };
    stop.abort(new Error('stopped'));
    const building = buildIndex(join(folder, 'deep', 'x'), source, { type: 'IndexFlatIP', signal: stop.signal });
    await expect(building).rejects.toThrow('stopped');
    await expect(buildIndex(join(folder, 'deep', 'x'), source, { type: 'IndexFlatIP' })).rejects.toThrow(
      '100 vectors were announced, but 1 came',
    );
  });
});

it('measures alike however its vectors are spread over memories', () => {
  const [count, dimension] = [50, 20];
  const vectors = clustered(count, dimension);
  const measure = (slabBytes?: number) => {
    const store = new VectorStore(count, dimension, slabBytes);
    store.write(0, vectors);
    return (['inner-product', 'l2'] as const).flatMap((metric) => {
      const distances = new Distances(store, metric);
      distances.setQuery(vectors.subarray(0, dimension));
      const ids = Int32Array.from({ length: count }, (_, i) => (i * 7) % count);
      const [fromQuery, fromRow] = [new Float32Array(count), new Float32Array(count)];
      distances.toAll(ids, count, fromQuery);
      distances.fromRow(3, ids, count, fromRow);
      return [...fromQuery, ...fromRow, distances.to(9), distances.between(4, 30)];
    });
  };
  const [one, several] = [measure(), measure(34_000)];
  for (const [i, value] of one.entries()) expect(Math.abs(value - several[i]!)).toBeLessThan(1e-5);
});
