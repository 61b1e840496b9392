import { InputFile } from '../../checkpoints/index.js';
import { fail } from '../../errors.js';
import type { Passage } from '../passage.js';
import { describeType } from './arrow-metadata.js';
import { readArrowStream, type StoredStream } from './arrow-stream.js';
import { dataFiles, findDataset } from './directory.js';
import { checkTextColumn, TextColumn } from './texts.js';
import { checkVectorColumn, VectorColumn } from './vectors.js';

const TEXT = 'text';
const TITLE = 'title';
const EMBEDDINGS = 'embeddings';
/** Vectors in a batch, unless told otherwise. */
const ROWS = 1000;

/** Passages with or without their embeddings, in a directory as the datasets library saves it. */
export interface KnowledgeDataset {
  readonly directory: string;
  readonly count: number;
  /** Width of the embeddings; undefined where the dataset has none. */
  readonly dimension: number | undefined;
  /** Reads these passages and no others. */
  passages(ids: ArrayLike<number>): Passage[];
  /** [ids.length · dimension], finite numbers; an embedding that has others is refused. */
  vectors(ids: ArrayLike<number>): Float32Array;
  /** All embeddings in order, [rows · dimension] at a time and the rest at last; finite, as those of {@link vectors}. */
  vectorBatches(rows?: number): Generator<Float32Array>;
  /** Gives the files back; nothing can be read from then on. */
  close(): void;
}

export interface OpenDatasetOptions {
  /** Refuses a dataset without embeddings. */
  readonly requireEmbeddings?: boolean;
}

/**
 * Opens a directory of the datasets library, or one that has it as `hf_dataset`. Files, columns, their types and the lengths
 * of all embeddings are checked now; whether embeddings are finite is found as they are read, so that opening reads little
 * of a large dataset.
 */
export function openDataset(
  directory: string,
  { requireEmbeddings = false }: OpenDatasetOptions = {},
): KnowledgeDataset {
  const { dataset } = findDataset(directory);
  const files: InputFile[] = [];
  try {
    const blocks: Block[] = [];
    let hasVectors: boolean | undefined;
    for (const place of dataFiles(dataset)) {
      const file = new InputFile(place, 'knowledge');
      files.push(file);
      const stream = readArrowStream(file, [TEXT, TITLE, EMBEDDINGS]);
      hasVectors = checkColumns(file, stream, requireEmbeddings || hasVectors === true);
      appendBlocks(blocks, file, stream);
    }
    if (blocks.length === 0) fail('knowledge', `the dataset ${dataset} has no rows. Give one with passages.`);
    return new StoredDataset(dataset, blocks, files);
  } catch (error) {
    for (const file of files) file.close();
    throw error;
  }
}

/** Rows that lie together, those of one record batch. */
interface Block {
  /** Rows of the dataset before these. */
  readonly first: number;
  readonly rows: number;
  readonly title: TextColumn;
  readonly text: TextColumn;
  readonly vectors: VectorColumn | undefined;
}

/** Whether a file has embeddings; refuses one whose columns do not serve. */
function checkColumns(file: InputFile, { fields }: StoredStream, needsEmbeddings: boolean): boolean {
  const find = (name: string) => fields.find((field) => field.name === name);
  const has = fields.map((field) => `${field.name} (${describeType(field)})`).join(', ') || 'none';
  for (const name of [TEXT, TITLE]) {
    const field = find(name);
    if (!field) return file.refuse(`has no column ${name}; its columns are ${has}`, 'It needs text and title.');
    checkTextColumn(file, field);
  }
  const embeddings = find(EMBEDDINGS);
  if (embeddings) checkVectorColumn(file, embeddings);
  else if (needsEmbeddings) {
    file.refuse(`has no column ${EMBEDDINGS}; its columns are ${has}`, 'Embed the passages: give them as a TSV file.');
  }
  return embeddings !== undefined;
}

function appendBlocks(blocks: Block[], file: InputFile, { batches }: StoredStream): void {
  for (const { rows, columns, dictionaries } of batches) {
    const before = blocks.at(-1);
    const first = before ? before.first + before.rows : 0;
    const embeddings = columns.get(EMBEDDINGS);
    const vectors = embeddings && new VectorColumn(file, embeddings, first, before?.vectors?.dimension);
    if (before && vectors && !before.vectors) {
      file.refuse(`has a column ${EMBEDDINGS}, which the files before it lack`, 'Save the dataset again as a whole.');
    }
    blocks.push({
      first,
      rows,
      title: new TextColumn(file, columns.get(TITLE)!, dictionaries),
      text: new TextColumn(file, columns.get(TEXT)!, dictionaries),
      vectors,
    });
  }
}

class StoredDataset implements KnowledgeDataset {
  readonly directory: string;
  readonly count: number;
  readonly dimension: number | undefined;
  readonly #blocks: readonly Block[];
  readonly #files: readonly InputFile[];

  constructor(directory: string, blocks: readonly Block[], files: readonly InputFile[]) {
    const last = blocks.at(-1)!;
    this.directory = directory;
    this.count = last.first + last.rows;
    this.dimension = last.vectors?.dimension;
    this.#blocks = blocks;
    this.#files = files;
  }

  passages(ids: ArrayLike<number>): Passage[] {
    return Array.from(ids, (id) => {
      const { first, title, text } = this.#blockOf(id);
      const where = `row ${id} (counted from 0)`;
      return { title: title.at(id - first, where), text: text.at(id - first, where) };
    });
  }

  vectors(ids: ArrayLike<number>): Float32Array {
    const dimension = this.#needDimension();
    const all = new Float32Array(ids.length * dimension);
    for (let i = 0; i < ids.length; i++) {
      const { first, vectors } = this.#blockOf(ids[i]!);
      vectors!.read(ids[i]! - first, all.subarray(i * dimension, (i + 1) * dimension));
    }
    return all;
  }

  *vectorBatches(rows = ROWS): Generator<Float32Array> {
    const dimension = this.#needDimension();
    if (!Number.isInteger(rows) || rows < 1) {
      fail('knowledge', `a batch of ${rows} vectors was asked for. Ask for one or more.`);
    }
    for (let start = 0; start < this.count; start += rows) {
      const end = Math.min(start + rows, this.count);
      const batch = new Float32Array((end - start) * dimension);
      for (let row = start; row < end; ) {
        const { first, rows: inBlock, vectors } = this.#blockOf(row);
        const stop = Math.min(end, first + inBlock);
        vectors!.read(row - first, batch.subarray((row - start) * dimension, (stop - start) * dimension));
        row = stop;
      }
      yield batch;
    }
  }

  close(): void {
    for (const file of this.#files) file.close();
  }

  #needDimension(): number {
    return (
      this.dimension ??
      fail('knowledge', `the dataset ${this.directory} has no column ${EMBEDDINGS}. Embed its passages first.`)
    );
  }

  #blockOf(id: number): Block {
    if (!Number.isInteger(id) || id < 0 || id >= this.count) {
      fail(
        'knowledge',
        `there is no passage ${id} in ${this.directory}: it has ${this.count}, counted from 0. Does its index belong to it?`,
      );
    }
    let [low, high] = [0, this.#blocks.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#blocks[middle]!.first <= id) low = middle;
      else high = middle - 1;
    }
    return this.#blocks[low]!;
  }
}
