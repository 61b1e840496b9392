import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { Progress } from '../progress.js';
import { type KnowledgeDataset, openDataset } from './dataset/index.js';
import type { DprTextEncoder } from './dpr-text-encoder.js';
import { embedPassages } from './embedding.js';
import { buildIndex, type IndexType, openIndex } from './faiss/index.js';
import { INDEX_FILE, IndexedDataset } from './indexed-dataset.js';
import { builtInPassages, type PassageOptions, readPassages } from './passages/index.js';
import { temporaryDirectory } from './temporary.js';

export interface IndexSettings {
  readonly type: IndexType;
  /** Links of a node in a graph. */
  readonly m: number;
  readonly threads: number;
  readonly silent: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface KnowledgeSource {
  /** A TSV file of titles and texts; without one, the passages that come with this package. */
  readonly file?: string | undefined;
  readonly passages: PassageOptions;
  readonly encoder: DprTextEncoder;
  readonly encoderName: string;
  readonly batchSize: number;
  /** Where dataset and index come to lie. */
  readonly directory: string;
  /** Called when the knowledge is closed. */
  readonly release?: (() => Promise<void>) | undefined;
  /** Hears how many passages there are, before any is embedded. */
  readonly checkCount?: ((passages: number) => void) | undefined;
}

/** From texts to passages with vectors and their index; what is there of an earlier time is not made again. */
export async function buildKnowledge(source: KnowledgeSource, settings: IndexSettings): Promise<IndexedDataset> {
  const { file, encoder, encoderName, batchSize, directory } = source;
  const { signal, silent } = settings;
  const passages = () => (file === undefined ? builtInPassages : readPassages(file, { ...source.passages, signal }));
  const [count, identity] = file === undefined ? builtIn() : await described(file, source, silent);
  source.checkCount?.(count);
  await embedPassages({ passages, count, identity, encoder, encoderName, batchSize, directory, silent, signal });
  const index = path.join(directory, INDEX_FILE);
  const there = (await isIndexOf(index, settings)) ? index : undefined;
  return openIndexed({ directory, index: there, saves: true, release: source.release }, settings);
}

/** Whether a file of an earlier time is the index that is wanted now. */
async function isIndexOf(file: string, { type, threads }: IndexSettings): Promise<boolean> {
  if (!existsSync(file)) return false;
  const index = await openIndex(file, { threads });
  index.close();
  return index.description.startsWith(type);
}

function builtIn(): [count: number, identity: string] {
  return [builtInPassages.length, hashOf(JSON.stringify(builtInPassages))];
}

/** Reads a file to its end before any passage is embedded: how many there are, and what they are a function of. */
async function described(
  file: string,
  { passages: options }: KnowledgeSource,
  silent: boolean,
): Promise<[count: number, identity: string]> {
  let count = 0;
  const onSkipped = (rows: number, lines: readonly number[]) => {
    if (silent) return;
    const shown = `${lines.join(', ')}${lines.length < rows ? ', …' : ''}`;
    process.stderr.write(`knowledge: ${rows} rows of ${file} have no text and are left out (lines ${shown}).\n`);
  };
  for await (const _ of readPassages(file, { ...options, onSkipped })) count++;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  const { splitTextN, splitTextCharacter, includeTitle, encoding } = options;
  return [count, hashOf(JSON.stringify([hash.digest('hex'), splitTextN, splitTextCharacter, includeTitle, encoding]))];
}

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');

export interface DatasetPlace {
  readonly directory: string;
  /** Its index, if there is one. */
  readonly index: string | undefined;
  /** Whether an index that has to be built is left beside the dataset. */
  readonly saves: boolean;
  /** Called when it is closed. */
  readonly release?: (() => Promise<void>) | undefined;
}

/** A dataset with its index, which is built where there is none. */
export async function openIndexed(place: DatasetPlace, settings: IndexSettings): Promise<IndexedDataset> {
  const dataset = openDataset(place.directory, { requireEmbeddings: true });
  const opened: (() => unknown)[] = [() => dataset.close()];
  try {
    let file = place.index;
    let { release } = place;
    if (file === undefined) {
      const folder = place.saves ? undefined : await temporaryDirectory();
      release ??= folder?.remove;
      file = path.join(folder?.directory ?? dataset.directory, INDEX_FILE);
      await indexDataset(dataset, file, settings);
    }
    const index = await openIndex(file, { threads: settings.threads });
    opened.push(() => index.close());
    return new IndexedDataset(dataset, { index, file, release });
  } catch (error) {
    for (const close of opened) close();
    throw error;
  }
}

async function indexDataset(
  dataset: KnowledgeDataset,
  file: string,
  { type, m, threads, silent, signal }: IndexSettings,
): Promise<void> {
  const { count, dimension } = dataset;
  const progress = new Progress('Indexing', count, silent);
  const vectors = { count, dimension: dimension!, batches: () => dataset.vectorBatches() };
  const onProgress = (done: number) => progress.update(done);
  await buildIndex(file, vectors, { type, m, threads, ...(signal && { signal }), onProgress });
  progress.finish();
}
