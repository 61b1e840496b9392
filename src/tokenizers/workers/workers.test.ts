import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  DecoderPool,
  type EncodeOptions,
  type EncodingThreads,
  loadTokenizer,
  type PackedTokens,
  type Tokenizer,
} from '../index.js';
import { TokenizerThread } from './thread.js';

const FIXTURES = new URL('../../../tests/fixtures/tokenizers/', import.meta.url).pathname;
const bpe = loadTokenizer(join(FIXTURES, 'slow'), 'bart');
const texts = Array.from({ length: 1203 }, (_, i) => `the list ${i} that is\n returned ${'again '.repeat(i % 9)}`);
const threads: EncodingThreads = { workers: 2, always: true, chunk: 100 };

async function collect(tokenizer: Tokenizer, given: readonly string[], how: EncodingThreads, options?: EncodeOptions) {
  const chunks: PackedTokens[] = [];
  for await (const chunk of tokenizer.encodeChunks(given, options, how)) chunks.push(chunk);
  return chunks;
}

/** Worker threads that are alive in this process. */
const living = () => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort' || name === 'Worker');

describe.each([
  ['bart', 'slow'],
  ['roberta', 'fast'],
  ['bert', 'wordpiece/uncased'],
  ['marian', 'marian/separate'],
  ['mbart', 'mbart'],
  ['camembert', '../encoder-decoder/camembert/encoder'],
])('%s in worker threads', (modelType, place) => {
  const base = loadTokenizer(join(FIXTURES, place), modelType);
  const options = { maxLength: 12, target: true, ...(modelType === 'mbart' && { language: 'de_DE' }) };

  test('the same tokens, in order, in chunks, with special tokens that were added', async () => {
    const tokenizer = base.withAddedTokens(['<again>']);
    const given = [...texts, '<again> x <again>', '', '\ud800 \u0000 😀'];
    const chunks = await collect(tokenizer, given, threads, options);
    expect(chunks.map(({ offsets }) => offsets.length - 1)).toEqual([...Array(12).fill(100), 6]);
    const ids = chunks.flatMap((chunk) => [...chunk.ids]);
    expect(ids).toEqual(given.flatMap((text) => [...tokenizer.encode(text, options)]));
    const tooLong = given.filter((text) => tokenizer.encode(text, { ...options, maxLength: 99 }).length > 12).length;
    expect(tooLong).toBeGreaterThan(100);
    expect(chunks.reduce((sum, { cut }) => sum + cut, 0)).toBe(tooLong);
    const batch = await tokenizer.encodeBatch(given, options, threads);
    expect(batch.map(String)).toEqual(given.map((text) => String(tokenizer.encode(text, options))));
  });
});

describe('texts of tokens', () => {
  const batch = texts.slice(0, 57).map((text) => bpe.encode(text));

  test.each([1, 2, 5])('come back in order from %i threads, which end with their pool', async (workers) => {
    const pool = new DecoderPool(bpe, workers, 10);
    const options = { skipSpecialTokens: true };
    expect(await pool.decode(batch, options)).toEqual(bpe.decodeBatch(batch, options));
    expect(await pool.decode(batch.slice(3, 5))).toEqual(bpe.decodeBatch(batch.slice(3, 5)));
    expect(await pool.decode([])).toEqual([]);
    // Threads without work keep no process alive.
    expect(living()).toEqual([]);
    await pool.end();
    await expect(pool.decode(batch.slice(0, 1))).resolves.toHaveLength(1);
    await pool.end();
  });

  test('that are none are refused', async () => {
    const pool = new DecoderPool(bpe, 2);
    await expect(pool.decode([Int32Array.of(99_999_999)])).rejects.toThrow(
      'tokenizer: there is no token of id 99999999',
    );
    await pool.end();
  });
});

test('many texts go to threads by themselves, whatever their number says', async () => {
  const many = Array.from({ length: 20_001 }, (_, i) => `${i}`);
  const one = await collect(bpe, many, { workers: 1 });
  const two = await collect(bpe, many, { workers: 2 });
  expect(two.flatMap(({ ids }) => [...ids])).toEqual(one.flatMap(({ ids }) => [...ids]));
  expect(two.length).toBe(11);
  const long = Array.from({ length: 21 }, () => 'word '.repeat(20_000));
  // One text of 100,000 characters, then a second one, fill a chunk.
  expect((await collect(bpe, long, { workers: 2 }, { maxLength: 8 })).map(({ offsets }) => offsets.length - 1)).toEqual(
    [...Array(10).fill(2), 1],
  );
});

test('the event loop goes on', async () => {
  const many = Array.from({ length: 60_000 }, (_, i) => texts[i % texts.length]!);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const start = performance.now();
  await collect(bpe, many, threads);
  clearInterval(timer);
  expect(ticks).toBeGreaterThan((performance.now() - start) / 100);
});

describe('what ends the threads', () => {
  test.each([
    ['this thread', 1],
    ['worker threads', 2],
  ])('a text that is none, in %s', async (_, workers) => {
    const wrong = texts.with(777, null as unknown as string);
    await expect(collect(bpe, wrong, { ...threads, workers })).rejects.toThrow(
      'tokenizer: only a string can be tokenised, not null. This is text 778 of 1203.',
    );
    expect(living()).toEqual([]);
  });

  test('a length without room is not the fault of a text', async () => {
    await expect(collect(bpe, texts, threads, { maxLength: 1 })).rejects.toThrow(
      /^tokenizer: a length of 1 has no room for the 2 special tokens\. Raise it\.$/,
    );
  });

  test('leaving early', async () => {
    for await (const chunk of bpe.encodeChunks(texts, {}, threads)) {
      expect(chunk.offsets.length).toBe(101);
      expect(living()).not.toEqual([]);
      break;
    }
    expect(living()).toEqual([]);
  });

  test('a signal', async () => {
    const controller = new AbortController();
    let chunks = 0;
    const run = async () => {
      for await (const _ of bpe.encodeChunks(texts, {}, { ...threads, signal: controller.signal })) {
        if (++chunks === 2) controller.abort(new Error('enough'));
      }
    };
    await expect(run()).rejects.toThrow('enough');
    expect(chunks).toBe(2);
    expect(living()).toEqual([]);
  });
});

describe('a thread that dies', () => {
  let scratch: string;
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'thread-'));
  });
  afterAll(() => rmSync(scratch, { recursive: true }));
  const setup = { files: new Map(), modelType: 'bart' };

  test.each([
    ['as it starts', 'process.exit(3)', 'exit code 3'],
    [
      'at its work',
      "import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => process.exit(0))",
      'exit code 0',
    ],
    ['of an exception', "throw new Error('no more')", 'no more'],
  ])('%s is an error', async (_, script, reason) => {
    const file = join(scratch, `${reason}.mjs`);
    writeFileSync(file, script);
    const thread = new TokenizerThread(setup, pathToFileURL(file));
    const answers = await Promise.allSettled([thread.encode(['a']), thread.encode(['b'])]);
    const message = `tokenizer: a worker thread ended early: ${reason}. Set processCount to 1 to tokenise without threads.`;
    for (const answer of answers) expect(answer).toMatchObject({ status: 'rejected', reason: { message } });
    await expect(thread.encode(['c'])).rejects.toThrow(message);
    await thread.end();
  });

  test('a tokenizer that cannot be made anew', async () => {
    const thread = new TokenizerThread(setup);
    await expect(thread.encode(['a'])).rejects.toThrow(
      'tokenizer: a worker thread ended early: tokenizer: memory has no tokenizer.json and no vocab.json',
    );
    await thread.end();
  });
});
