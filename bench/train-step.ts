import { existsSync } from 'node:fs';
import path from 'node:path';
import { contest, flags, machine, root, startOurs, startPython } from './contest.js';

// One training step of BART-base with random weights (forward, backward, clipping, AdamW), against PyTorch on the same
// machine, in turns: `node dist/bench/train-step.js --turns 7 --threads 2`.

const options = flags({ turns: 7, threads: 2, dropout: 0.1 });
const file = path.join(root, 'bench/.cache/decode/bart/hf/model.safetensors');
const settings = { threads: options.threads, dropout: options.dropout, ...(existsSync(file) && { weights: file }) };

/** `count` lengths spread evenly between two. */
const spread = (from: number, to: number, count: number) =>
  Array.from({ length: count }, (_, i) => Math.round(from + ((to - from) * i) / (count - 1)));

const rounds = {
  'padded 8×128/64': { sources: Array(8).fill(128), targets: Array(8).fill(64) },
  'ragged 8×20…128/10…64': { sources: spread(20, 128, 8), targets: spread(10, 64, 8) },
};

console.log(`${machine()}, ${options.threads} threads, dropout ${options.dropout}`);
const contenders = [
  await startPython('PyTorch', 'torch_train.py', settings),
  await startOurs('train-step-server.js', settings),
];
// PyTorch pads to the longest: its step on the ragged batch costs what the padded one costs, and is timed all the same.
for (const [name, round] of Object.entries(rounds)) {
  const [torch, ours] = await contest(contenders, round, options.turns);
  console.log(
    `${name}: PyTorch ${torch!.median.toFixed(3)} s, simple-seq2seq ${ours!.median.toFixed(3)} s, ` +
      `ratio ${(torch!.median / ours!.median).toFixed(2)}; ` +
      `peak memory ${(torch!.peak / 1e9).toFixed(2)} and ${(ours!.peak / 1e9).toFixed(2)} GB, ratio ${(ours!.peak / torch!.peak).toFixed(2)}; ` +
      `loss ${Number(torch!.last.loss).toFixed(4)} and ${Number(ours!.last.loss).toFixed(4)}`,
  );
}
for (const contender of contenders) contender.stop();
