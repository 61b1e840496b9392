import { contest, flags, machine, startOurs, startPython } from './contest.js';

// One AdamW update of BART-base's 139 million weights, against PyTorch's fused one on the same machine, in turns:
// `node dist/bench/optimizer.js --turns 9 --threads 2`.

const options = flags({ turns: 9, threads: 2 });
console.log(`${machine()}, ${options.threads} threads`);
const contenders = [
  await startPython('PyTorch', 'optimizer.py', { threads: options.threads }),
  await startOurs('optimizer-server.js', { threads: options.threads }),
];
const [torch, ours] = await contest(contenders, {}, options.turns);
console.log(
  `AdamW over ${Number(ours!.last.weights).toLocaleString('en')} weights: PyTorch fused ${(1000 * torch!.median).toFixed(0)} ms, ` +
    `simple-seq2seq ${(1000 * ours!.median).toFixed(0)} ms, ratio ${(torch!.median / ours!.median).toFixed(2)}; ` +
    `a weight afterwards ${Number(torch!.last.sample).toFixed(6)} and ${Number(ours!.last.sample).toFixed(6)}`,
);
for (const contender of contenders) contender.stop();
