import { mkdirSync } from 'node:fs';
import fs, { type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { nameAside } from '../../aside.js';
import { fail } from '../../errors.js';
import { calibratedEfSearch } from './calibrate.js';
import { type IndexFile, indexPieces, type Metric, newHeader } from './format.js';
import { buildGraph } from './hnsw-build.js';
import { Distances, VectorStore } from './vector-store.js';

/** The kinds of index that are built. */
export type IndexType = 'IndexFlatIP' | 'IndexFlatL2' | 'IndexHNSWFlat';

/** Vectors in their order, some rows at a time; they can be gone through more than once. */
export interface VectorSource {
  readonly count: number;
  readonly dimension: number;
  batches(): Iterable<Float32Array> | AsyncIterable<Float32Array>;
}

export interface BuildIndexOptions {
  readonly type: IndexType;
  /** Of a graph: links of a node in the upper levels, and half of those in the lowest. */
  readonly m?: number | undefined;
  /** Of a graph: nodes that are kept in sight while a node is linked. */
  readonly efConstruction?: number | undefined;
  /** Of a graph: nodes that a search keeps in sight. Default: as many as find 99.5 % of the best in a trial. */
  readonly efSearch?: number | undefined;
  /** Of a graph. */
  readonly metric?: Metric | undefined;
  readonly threads?: number | undefined;
  readonly onProgress?: ((done: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Writes an index of vectors in Faiss's format; the file is there when it is whole. */
export async function buildIndex(place: string, source: VectorSource, options: BuildIndexOptions): Promise<void> {
  const { type, onProgress, signal } = options;
  const { count, dimension } = source;
  if (count === 0) fail('index', 'there are no vectors. Give at least one.');
  if (type !== 'IndexHNSWFlat') {
    const metric = type === 'IndexFlatL2' ? 'l2' : 'inner-product';
    const index = flatFile(dimension, count, metric);
    await writeIndexFile(place, index, () => countedBatches(source, onProgress, signal));
    return;
  }
  const { m = 128, efConstruction = 40, metric = 'inner-product', threads = 1 } = options;
  if (m < 2) fail('index', `faissM is ${m}; a node needs at least 2 links.`);
  const store = new VectorStore(count, dimension);
  let start = 0;
  for await (const batch of countedBatches(source, undefined, signal)) {
    store.write(start, batch);
    start += batch.length / dimension;
  }
  const distances = new Distances(store, metric);
  const graph = await buildGraph(store, distances, { m, efConstruction, efSearch: 16, onProgress, signal });
  const efSearch = options.efSearch ?? (await calibratedEfSearch(store, distances, graph, { metric, threads }));
  const header = newHeader(dimension, count, metric);
  const index: IndexFile = {
    kind: 'hnsw',
    fourcc: 'IHNf',
    header,
    graph: { ...graph, efSearch },
    storage: flatFile(dimension, count, metric),
  };
  await writeIndexFile(place, index, () => storedRows(store));
}

function flatFile(dimension: number, count: number, metric: Metric) {
  const fourcc = metric === 'l2' ? 'IxF2' : 'IxFI';
  return { kind: 'flat', fourcc, header: newHeader(dimension, count, metric), position: 0 } as const;
}

function* storedRows(store: VectorStore): Generator<Float32Array> {
  for (let start = 0; start < store.count; ) {
    const rows = store.rows(start, 4096);
    yield rows;
    start += rows.length / store.dimension;
  }
}

/** As many as were promised, all finite. */
async function* countedBatches(
  { count, dimension, batches }: VectorSource,
  onProgress: ((done: number) => void) | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Float32Array> {
  let done = 0;
  for await (const batch of batches()) {
    signal?.throwIfAborted();
    if (batch.length % dimension !== 0) fail('index', `${batch.length} numbers are no rows of ${dimension}.`);
    const bad = batch.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0)
      fail('index', `vector ${done + Math.floor(bad / dimension)} has ${batch[bad]}; every number must be finite.`);
    done += batch.length / dimension;
    yield batch;
    onProgress?.(done);
  }
  if (done !== count) fail('index', `${count} vectors were announced, but ${done} came.`);
}

/**
 * Writes the bytes of an index to a file aside, which then takes the place of the one that is wanted.
 * @param vectors those of the index, in order
 */
export async function writeIndexFile(
  place: string,
  index: IndexFile,
  vectors: () => Iterable<Float32Array> | AsyncIterable<Float32Array>,
): Promise<void> {
  const whole = path.resolve(place);
  mkdirSync(path.dirname(whole), { recursive: true });
  const aside = nameAside(whole);
  try {
    const file = await fs.open(aside, 'w');
    try {
      for (const piece of indexPieces(index)) {
        if (piece instanceof Uint8Array) await write(file, piece);
        else for await (const rows of vectors()) await write(file, bytesOf(rows));
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(aside, whole);
  } catch (error) {
    await fs.rm(aside, { force: true });
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    fail('index', `${place} cannot be written: ${error.message}. Check the path and the disk.`, error);
  }
}

/** Bytes passed to the system at a time. */
const PORTION = 1 << 26;

async function write(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(PORTION, bytes.length - done));
    done += bytesWritten;
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);
