import { existsSync, readdirSync, statSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { makeDirectory, readJsonObject, removeDirectory, writeFileWhole } from '../checkpoints/index.js';
import { fail } from '../errors.js';
import { formatRate, Progress } from '../progress.js';
import { writeDatasetFiles, writeShard } from './dataset/index.js';
import type { DprTextEncoder } from './dpr-text-encoder.js';
import type { Passage } from './passage.js';

/** Passages that are saved together: what is lost, at most, when the work is killed. */
const SHARD = 1024;
/** Which passages a dataset holds and what embedded them. */
const IDENTITY = 'knowledge.json';
const ENCODER_NAME = 'dpr_ctx_encoder_model_name';
/** A part's number, under the name it has while others are being made, or in the finished dataset. */
const PART = /^(?:part|data)-(\d{5,})(?:-of-\d+)?\.arrow$/;

export interface EmbeddingRun {
  /** Can be gone through more than once. */
  readonly passages: () => AsyncIterable<Passage> | Iterable<Passage>;
  readonly count: number;
  /** What the passages are a function of, such as a hash of their file and how it is split. */
  readonly identity: string;
  readonly encoder: DprTextEncoder;
  /** Its directory or hub id, to be noted. */
  readonly encoderName: string;
  /** Passages that are encoded at once. */
  readonly batchSize: number;
  /** Where the dataset comes to lie. */
  readonly directory: string;
  readonly silent: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Embeds passages into a dataset of the datasets library. A part of the work is kept beside it as soon as it is done, in
 * `<directory>.partial`: work that was stopped, or killed, goes on there when it is asked for again, and a dataset that is
 * already there and is the same is not made anew.
 */
export async function embedPassages(run: EmbeddingRun): Promise<void> {
  const { directory, encoder, count } = run;
  const identity = { passages: run.identity, encoder: encoder.fingerprint(), dimension: encoder.size, count };
  if (isSame(directory, identity)) return;
  const partial = `${directory}.partial`;
  const parts = await openPartial(partial, identity, run.encoderName);
  const progress = new Progress('Embedding', count, run.silent);
  progress.startAt(Math.min(parts * SHARD, count));
  const start = performance.now();
  let done = parts * SHARD;
  let part = 0;
  for await (const passages of shardsOf(run.passages())) {
    const file = path.join(partial, partName(part));
    if (part++ < parts) continue;
    const embeddings = await embedShard(passages, run, (inShard) => {
      const rate = (done - parts * SHARD + inShard) / ((performance.now() - start) / 1000);
      progress.update(done + inShard, formatRate(rate, 'passages'));
    });
    await writeShard(file, { passages, embeddings, dimension: encoder.size });
    done += passages.length;
  }
  progress.finish();
  await finish(partial, directory, Math.ceil(count / SHARD), count);
}

/** [passages, size]: texts of like length are encoded together, and come back in their order. */
async function embedShard(
  passages: readonly Passage[],
  { encoder, batchSize, signal }: EmbeddingRun,
  onProgress: (done: number) => void,
): Promise<Float32Array> {
  const { size } = encoder;
  const tokens = passages.map((passage) => encoder.tokens(passage));
  const order = tokens.map((_, i) => i).sort((a, b) => tokens[b]!.length - tokens[a]!.length || a - b);
  const embeddings = new Float32Array(passages.length * size);
  for (let start = 0; start < order.length; start += batchSize) {
    signal?.throwIfAborted();
    const batch = order.slice(start, start + batchSize);
    const vectors = await encoder.encode(batch.map((i) => tokens[i]!));
    for (const [row, i] of batch.entries()) {
      const vector = vectors.subarray(row * size, (row + 1) * size);
      if (!vector.every(Number.isFinite)) {
        const { title, text } = passages[i]!;
        fail(
          'knowledge',
          `the context encoder makes a vector with ${vector.find((value) => !Number.isFinite(value))} of the passage ` +
            `${JSON.stringify(`${title}: ${text}`.slice(0, 60))}. Look for broken weights in it.`,
        );
      }
      embeddings.set(vector, i * size);
    }
    onProgress(Math.min(order.length, start + batchSize));
  }
  return embeddings;
}

async function* shardsOf(passages: AsyncIterable<Passage> | Iterable<Passage>): AsyncGenerator<Passage[]> {
  let shard: Passage[] = [];
  for await (const passage of passages) {
    shard.push(passage);
    if (shard.length < SHARD) continue;
    yield shard;
    shard = [];
  }
  if (shard.length > 0) yield shard;
}

/** The name of the encoder that made a dataset's vectors, if it was made here. */
export function encoderNameOf(directory: string): string | undefined {
  const file = path.join(directory, IDENTITY);
  const name = existsSync(file) ? readJsonObject(file)[ENCODER_NAME] : undefined;
  return typeof name === 'string' ? name : undefined;
}

type Identity = Readonly<Record<string, string | number>>;

function isSame(directory: string, identity: Identity): boolean {
  const file = path.join(directory, IDENTITY);
  if (!existsSync(file) || !existsSync(path.join(directory, 'state.json'))) return false;
  const there = readJsonObject(file);
  return Object.entries(identity).every(([name, value]) => there[name] === value);
}

/** The number of parts that are done already; those of other work go. */
async function openPartial(partial: string, identity: Identity, encoderName: string): Promise<number> {
  const file = path.join(partial, IDENTITY);
  const isOurs =
    existsSync(file) && Object.entries(identity).every(([name, value]) => readJsonObject(file)[name] === value);
  if (!isOurs) {
    if (existsSync(partial)) await removeDirectory(partial);
    await makeDirectory(partial, 'knowledge');
    const noted = { ...identity, [ENCODER_NAME]: encoderName };
    await writeFileWhole(file, `${JSON.stringify(noted, null, 2)}\n`, 'knowledge');
    return 0;
  }
  const there = new Set(readdirSync(partial).map((name) => Number(PART.exec(name)?.[1])));
  let parts = 0;
  while (there.has(parts)) parts++;
  return parts;
}

/** Gives the parts their names in the dataset; the directory appears with all of them at once. */
async function finish(partial: string, directory: string, shards: number, rows: number): Promise<void> {
  const files = [];
  for (let part = 0; part < shards; part++) {
    const file = `data-${number(part)}-of-${number(shards)}.arrow`;
    const place = path.join(partial, file);
    const from = path.join(partial, partName(part));
    if (existsSync(from)) await fs.rename(from, place);
    files.push({ file, rows: Math.min(SHARD, rows - part * SHARD), bytes: statSync(place).size });
  }
  await writeDatasetFiles(partial, files);
  if (existsSync(directory)) await removeDirectory(directory);
  await makeDirectory(path.dirname(path.resolve(directory)), 'knowledge');
  await fs.rename(partial, directory);
}

const number = (value: number) => String(value).padStart(5, '0');
const partName = (part: number) => `part-${number(part)}.arrow`;
