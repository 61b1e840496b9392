import { readdirSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { makeDirectory, removeDirectory } from '../checkpoints/index.js';
import { fail } from '../errors.js';
import type { KnowledgeDataset } from './dataset/index.js';
import type { Nearest, VectorIndex } from './faiss/index.js';
import type { Knowledge } from './knowledge.js';
import type { PassageBatch } from './pgvector/index.js';

/** The file of a dataset's index, under the name that Simple Transformers gives it. */
export const INDEX_FILE = 'hf_dataset_index.faiss';

export interface PlacedIndex {
  readonly index: VectorIndex;
  readonly file: string;
  /** Called when it is no longer needed. */
  readonly release?: (() => Promise<void>) | undefined;
}

/** Passages of a dataset, found by an index of their vectors. */
export class IndexedDataset implements Knowledge {
  readonly #dataset: KnowledgeDataset;
  readonly #index: VectorIndex;
  readonly #file: string;
  readonly #release: (() => Promise<void>) | undefined;

  constructor(dataset: KnowledgeDataset, { index, file, release }: PlacedIndex) {
    const { directory, count, dimension } = dataset;
    if (index.count !== count) {
      fail(
        'index',
        `it has ${index.count} vectors, the dataset ${directory} ${count} passages: they do not belong together. Build the index again.`,
      );
    }
    if (index.dimension !== dimension) {
      fail(
        'index',
        `its vectors have ${index.dimension} numbers, the embeddings of ${directory} ${dimension}: they do not belong together. Build the index again.`,
      );
    }
    this.#dataset = dataset;
    this.#index = index;
    this.#file = file;
    this.#release = release;
  }

  get description(): string {
    return `${this.#dataset.directory} (${this.#index.description})`;
  }

  get directory(): string {
    return this.#dataset.directory;
  }

  /** All passages with their vectors, some at a time. */
  *batches(rows = 1000): Generator<PassageBatch> {
    let start = 0;
    for (const embeddings of this.#dataset.vectorBatches(rows)) {
      const ids = Array.from({ length: embeddings.length / this.dimension }, (_, row) => start + row);
      yield { passages: this.#dataset.passages(ids), embeddings };
      start += ids.length;
    }
  }

  get count(): number {
    return this.#dataset.count;
  }

  get dimension(): number {
    return this.#index.dimension;
  }

  search(queries: Float32Array, k: number): Promise<Nearest> {
    return this.#index.search(queries, k);
  }

  async passages(ids: ArrayLike<number>) {
    return this.#dataset.passages(ids);
  }

  async vectors(ids: ArrayLike<number>) {
    return this.#dataset.vectors(ids);
  }

  /** Leaves dataset and index in a directory, as links to the same files where the file system can. */
  async saveTo(directory: string): Promise<void> {
    const from = this.#dataset.directory;
    if (path.resolve(from) === path.resolve(directory)) return;
    const names = readdirSync(from).filter((name) => /\.(arrow|json)$/.test(name));
    const files = names.map((name) => [path.join(from, name), name] as const);
    await linkFiles(directory, [...files, [this.#file, INDEX_FILE]]);
  }

  async close(): Promise<void> {
    this.#dataset.close();
    this.#index.close();
    await this.#release?.();
  }
}

/** Makes a directory of files that are elsewhere; it appears with all of them at once. */
async function linkFiles(directory: string, files: readonly (readonly [from: string, name: string])[]): Promise<void> {
  const aside = `${path.resolve(directory)}.partial`;
  await removeDirectory(aside);
  await makeDirectory(aside, 'knowledge');
  for (const [from, name] of files) {
    const to = path.join(aside, name);
    await fs.link(from, to).catch(() => fs.copyFile(from, to));
  }
  await removeDirectory(directory);
  await fs.rename(aside, directory);
}
