import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import path from 'node:path';
import type { RecordBatch } from 'apache-arrow';
import { makeDirectory, writeFilesWhole } from '../../checkpoints/index.js';
import { fail } from '../../errors.js';
import type { Passage } from '../passage.js';
import { INFO, STATE } from './directory.js';

/** Rows in a record batch, as the datasets library has them. */
const BATCH_ROWS = 1000;
/** Offsets of texts in a batch are i32. */
const MOST_TEXT = 2 ** 31 - 1;

/** What the datasets library calls the columns' types; the order is that of the columns. */
const FEATURES = {
  text: { dtype: 'string', _type: 'Value' },
  title: { dtype: 'string', _type: 'Value' },
  embeddings: { feature: { dtype: 'float32', _type: 'Value' }, _type: 'Sequence' },
};

/** Passages and their embeddings, [passages · dimension], finite numbers. */
export interface DatasetShard {
  readonly passages: readonly Passage[];
  readonly embeddings: Float32Array;
  readonly dimension: number;
}

/** One Arrow stream file, record batches of 1000 rows as the datasets library writes; whole or not at all. */
export async function writeShard(file: string, shard: DatasetShard): Promise<void> {
  checkShard(file, shard);
  const pieces = await streamPieces(file, shard);
  const folder = path.dirname(path.resolve(file));
  await makeDirectory(folder, 'knowledge');
  await writeFilesWhole(folder, [{ name: path.basename(file), pieces }], { area: 'knowledge' });
}

/** state.json and dataset_info.json for shards that lie in the directory under these names; state.json is written last. */
export async function writeDatasetFiles(
  directory: string,
  shards: readonly { file: string; rows: number; bytes: number }[],
): Promise<void> {
  if (shards.length === 0)
    fail('knowledge', `a dataset without files was to be written to ${directory}. Give one or more.`);
  for (const { file, bytes } of shards) {
    const stats = statSync(path.join(directory, file), { throwIfNoEntry: false });
    if (stats?.size !== bytes) {
      const found = stats ? `has ${stats.size} bytes` : 'is missing';
      fail('knowledge', `${path.join(directory, file)} ${found}, it should have ${bytes}. Write it again.`);
    }
  }
  const total = (key: 'rows' | 'bytes') => shards.reduce((sum, shard) => sum + shard[key], 0);
  const info = {
    citation: '',
    dataset_size: total('bytes'),
    description: '',
    features: FEATURES,
    homepage: '',
    license: '',
    splits: { train: { name: 'train', num_bytes: total('bytes'), num_examples: total('rows'), dataset_name: null } },
  };
  const state = {
    _data_files: shards.map(({ file }) => ({ filename: file })),
    // Python's caches of what is made of a dataset are named by it, so that no two datasets may have the same.
    _fingerprint: randomBytes(8).toString('hex'),
    _format_columns: null,
    _format_kwargs: {},
    _format_type: null,
    _output_all_columns: false,
    _split: 'train',
  };
  const contents = [
    { name: INFO, pieces: [json(info)] },
    { name: STATE, pieces: [json(state)] },
  ];
  await writeFilesWhole(directory, contents, { area: 'knowledge', gate: STATE });
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value, undefined, 2));
}

function checkShard(file: string, { passages, embeddings, dimension }: DatasetShard): void {
  if (passages.length === 0) fail('knowledge', `${file} was to be written without passages. Give one or more.`);
  if (!Number.isInteger(dimension) || dimension < 1 || embeddings.length !== passages.length * dimension) {
    fail(
      'knowledge',
      `${file} was to be written with ${embeddings.length} numbers for ${passages.length} passages × ${dimension}. Give as many as that makes.`,
    );
  }
  const found = embeddings.findIndex((value) => !Number.isFinite(value));
  if (found < 0) return;
  const row = Math.floor(found / dimension);
  fail(
    'knowledge',
    `${file} was to be written with ${embeddings[found]} as element ${found % dimension} of the embedding of passage ${row} of the ` +
      `file ("${passages[row]!.title.slice(0, 60)}"). The model that embeds is damaged, or the passage is: look at both.`,
  );
}

/** The bytes of the stream; embeddings are views of the shard's. */
async function streamPieces(file: string, shard: DatasetShard): Promise<Uint8Array[]> {
  const { Field, Float32, List, makeData, RecordBatch, RecordBatchStreamWriter, Schema, Struct, Utf8 } = await import(
    'apache-arrow'
  );
  const list = new List(new Field('item', new Float32(), true));
  const fields = [
    new Field('text', new Utf8(), true),
    new Field('title', new Utf8(), true),
    new Field('embeddings', list, true),
  ];
  const schema = new Schema(fields, new Map([['huggingface', JSON.stringify({ info: { features: FEATURES } })]]));
  const texts = (values: readonly string[]) => {
    const data = values.map((value) => Buffer.from(value));
    const valueOffsets = offsetsOf(file, data);
    return makeData({ type: new Utf8(), length: data.length, nullCount: 0, valueOffsets, data: Buffer.concat(data) });
  };
  const batch = (start: number): RecordBatch => {
    const rows = shard.passages.slice(start, start + BATCH_ROWS);
    const length = rows.length;
    const { dimension, embeddings } = shard;
    const child = makeData({
      type: new Float32(),
      data: embeddings.subarray(start * dimension, (start + length) * dimension),
    });
    const valueOffsets = Int32Array.from({ length: length + 1 }, (_, i) => i * dimension);
    const children = [
      texts(rows.map(({ text }) => text)),
      texts(rows.map(({ title }) => title)),
      makeData({ type: list, length, nullCount: 0, valueOffsets, child }),
    ];
    return new RecordBatch(schema, makeData({ type: new Struct(fields), length, nullCount: 0, children }));
  };
  const writer = new RecordBatchStreamWriter();
  for (let start = 0; start < shard.passages.length; start += BATCH_ROWS) writer.write(batch(start));
  writer.close();
  const pieces: Uint8Array[] = [];
  for await (const piece of writer) pieces.push(piece);
  return pieces;
}

function offsetsOf(file: string, texts: readonly Uint8Array[]): Int32Array {
  const offsets = new Int32Array(texts.length + 1);
  let end = 0;
  for (const [i, { length }] of texts.entries()) {
    end += length;
    if (end > MOST_TEXT) {
      fail(
        'knowledge',
        `${file} was to be written with more than ${MOST_TEXT} bytes in ${BATCH_ROWS} texts. Split them.`,
      );
    }
    offsets[i + 1] = end;
  }
  return offsets;
}
