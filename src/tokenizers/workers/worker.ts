// A thread of EncoderThread: makes its own tokenizer, then turns each list of texts that it gets into packed tokens.
import { parentPort, workerData } from 'node:worker_threads';
import { loadTokenizer } from '../load.js';
import { memorySource } from '../source.js';
import { packTexts } from './packed-tokens.js';
import type { ThreadSetup } from './thread.js';

const { files, modelType, options } = workerData as ThreadSetup;
const tokenizer = loadTokenizer(memorySource(files), modelType);

parentPort?.on('message', (texts: readonly string[]) => {
  const run = packTexts(tokenizer, texts, options);
  parentPort?.postMessage(run, [run.ids.buffer, run.offsets.buffer]);
});
