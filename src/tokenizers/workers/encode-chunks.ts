import { availableParallelism } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { fail } from '../../errors.js';
import type { EncodeOptions, EncodingThreads, PackedTokens, Tokenizer } from '../tokenizer.js';
import { type PackedRun, packTexts } from './packed-tokens.js';
import { TokenizerThread } from './thread.js';

/** How long texts that are tokenised in this thread keep the event loop waiting at a time. */
const SLICE_MS = 8;
/** Starting threads takes longer than tokenising less than this. */
const MANY_TEXTS = 20_000;
const MANY_CHARACTERS = 2_000_000;
/** What a worker takes at once, so that handing it over takes about a millisecond. */
const CHUNK_TEXTS = 2_000;
const CHUNK_CHARACTERS = 200_000;
/** Each has a copy of the vocabulary; beyond this many, handing out texts is what takes the time. */
const MOST_WORKERS = 8;
/** Chunks a worker has at hand, or has done and not yet been rid of. */
const CHUNKS_IN_FLIGHT = 3;

/** Tokens of the texts, in order, some texts at a time; many texts in worker threads, which end with the last of them. */
export async function* encodeChunks(
  tokenizer: Tokenizer,
  texts: readonly string[],
  options: EncodeOptions,
  threads: EncodingThreads = {},
): AsyncGenerator<PackedTokens, void, void> {
  tokenizer.encode('', options); // refuses what is the fault of the options, not of a text
  const workers = workerCount(tokenizer, texts, threads);
  let done = 0;
  for await (const run of workers > 1
    ? inWorkers(tokenizer, texts, options, workers, threads.chunk ?? CHUNK_TEXTS)
    : inThisThread(tokenizer, texts, options)) {
    threads.signal?.throwIfAborted();
    done += run.offsets.length - 1;
    const { failure } = run;
    if (failure) fail(failure.area, `${failure.message} This is text ${done + 1} of ${texts.length}.`);
    yield run;
  }
}

/** The number of worker threads; fewer than two mean that this thread does it. */
function workerCount(tokenizer: Tokenizer, texts: readonly string[], threads: EncodingThreads): number {
  if (tokenizer.modelType === undefined || texts.length === 0) return 0;
  const most = threads.workers ?? Math.min(MOST_WORKERS, availableParallelism());
  if (threads.always || texts.length > MANY_TEXTS) return most;
  let characters = 0;
  for (const text of texts) if (typeof text === 'string') characters += text.length;
  return characters > MANY_CHARACTERS ? most : 0;
}

async function* inThisThread(
  tokenizer: Tokenizer,
  texts: readonly string[],
  options: EncodeOptions,
): AsyncGenerator<PackedRun, void, void> {
  for (let start = 0; start < texts.length; ) {
    const end = Math.min(texts.length, start + CHUNK_TEXTS);
    const run = packTexts(tokenizer, texts, options, { start, end, ms: SLICE_MS });
    start += run.offsets.length - 1;
    yield run;
    if (start < texts.length) await setImmediate();
  }
}

async function* inWorkers(
  tokenizer: Tokenizer,
  texts: readonly string[],
  options: EncodeOptions,
  workers: number,
  chunk: number,
): AsyncGenerator<PackedRun, void, void> {
  const setup = { files: tokenizer.files(), modelType: tokenizer.modelType! };
  const threads: TokenizerThread[] = [];
  const inFlight: Promise<PackedRun>[] = [];
  try {
    let taken = 0;
    for (let start = 0; start < texts.length; taken++) {
      const end = chunkEnd(texts, start, chunk);
      // Chunks go round, as many characters each, so that their order is that of the threads.
      if (taken < workers) threads.push(new TokenizerThread(setup));
      const run = threads[taken % workers]!.encode(texts.slice(start, end), options);
      run.catch(() => {}); // whoever waits for it hears of it; it may fail before anybody does
      inFlight.push(run);
      start = end;
      if (inFlight.length >= CHUNKS_IN_FLIGHT * workers) yield await inFlight.shift()!;
      await setImmediate();
    }
    for (const run of inFlight) yield await run;
  } finally {
    await Promise.all(threads.map((thread) => thread.end()));
  }
}

function chunkEnd(texts: readonly string[], start: number, chunk: number): number {
  const most = Math.min(texts.length, start + chunk);
  let end = start;
  let characters = 0;
  do characters += texts[end++]?.length ?? 0;
  while (end < most && characters < CHUNK_CHARACTERS);
  return end;
}
