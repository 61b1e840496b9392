// A thread of TokenizerThread: makes its own tokenizer, then turns the texts that it gets into packed tokens, or back.
import { parentPort, workerData } from 'node:worker_threads';
import { loadTokenizer } from '../load.js';
import { memorySource } from '../source.js';
import { packTexts, unpackTokens } from './packed-tokens.js';
import type { ThreadSetup, ThreadTask } from './thread.js';

const { files, modelType } = workerData as ThreadSetup;
const tokenizer = loadTokenizer(memorySource(files), modelType);

parentPort?.on('message', (task: ThreadTask) => {
  if ('texts' in task) {
    const run = packTexts(tokenizer, task.texts, task.options);
    parentPort?.postMessage(run, [run.ids.buffer, run.offsets.buffer]);
  } else {
    parentPort?.postMessage(unpackTokens(tokenizer, task.ids, task.offsets, task.options));
  }
});
