/**
 * Times the search through indexes of vectors against Faiss on one thread, on the same files.
 *
 *   node dist/bench/index.js [PYTHON] [COUNT] [DIMENSION]
 *
 * PYTHON has numpy and faiss-cpu (scripts/reference/requirements.txt). Vectors are of a low dimension inside a high one, as those of
 * texts are.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildIndex, type IndexType, openIndex } from '../src/rag/faiss/index.js';

const [python = 'python3', count = '100000', dimension = '768'] = process.argv.slice(2);
const script = fileURLToPath(new URL('../../bench/python/faiss_search.py', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'seq2seq-bench-'));
const BEST = 5;
const ROUNDS = 3;

function faiss(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(python, [script, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

function floats(name: string): Float32Array {
  const bytes = readFileSync(path.join(folder, name));
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

try {
  faiss('make', folder, count, dimension);
  const [vectors, queries] = [floats('vectors.f32'), floats('queries.f32')];
  const width = Number(dimension);
  const source = {
    count: Number(count),
    dimension: width,
    *batches() {
      for (let i = 0; i < vectors.length; i += 1000 * width) yield vectors.subarray(i, i + 1000 * width);
    },
  };
  let exact: Float64Array | undefined;
  const cases: readonly [IndexType, number][] = [
    ['IndexFlatIP', 0],
    ['IndexHNSWFlat', 32],
    ['IndexHNSWFlat', 128],
  ];
  for (const [type, m] of cases) {
    const file = path.join(folder, `${type}-${m}.faiss`);
    const started = performance.now();
    await buildIndex(file, source, { type, ...(m > 0 && { m }), threads: 1 });
    const built = (performance.now() - started) / 1000;
    const index = await openIndex(file, { threads: 1 });
    let best = 0;
    let ids: Float64Array = new Float64Array(0);
    const theirs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      ({ ids } = await index.search(queries, BEST));
      best = Math.max(best, queries.length / width / ((performance.now() - start) / 1000));
      theirs.push(Number(faiss('search', folder, file, dimension, String(BEST))));
    }
    exact ??= ids;
    const wanted = exact;
    const hits = ids.reduce((sum, id, i) => {
      const start = i - (i % BEST);
      return sum + Number(wanted.subarray(start, start + BEST).includes(id));
    }, 0);
    const other = Math.max(...theirs);
    console.log(
      `${type}${m > 0 ? `, M ${m}` : ''}: built in ${built.toFixed(1)} s, recall@5 ${(hits / ids.length).toFixed(4)}, ` +
        `${best.toFixed(0)} questions/s, Faiss ${other.toFixed(0)}: ${(best / other).toFixed(2)}`,
    );
    index.close();
  }
} finally {
  rmSync(folder, { recursive: true });
}
