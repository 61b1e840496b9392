import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { contest, flags, machine, pythonCommand, type Reply, root, startOurs, startPython } from './contest.js';

// Greedy and beam search of a model of BART-base's size, or with --model marian of the opus-mt models', against CTranslate2
// (float32) and Transformers on the same machine, in turns: `node dist/bench/decode.js --model marian --turns 5 --threads 2`.
// Every answer has exactly --tokens new tokens. The model is made once, under --directory.

const options = flags({
  model: 'bart',
  turns: 5,
  threads: 2,
  tokens: 64,
  transformers: 1,
  beams: '1,4',
  batches: '1,8,32',
  directory: path.join(root, 'bench/.cache/decode'),
});
const numbers = (list: string) => list.split(',').map(Number);
const directory = path.join(options.directory, options.model);
if (!existsSync(path.join(directory, 'sources.json'))) {
  const { status } = spawnSync(...pythonCommand('make_model.py', directory, options.model), { stdio: 'inherit' });
  if (status !== 0) throw new Error(`no model could be made in ${directory}. The reason is above.`);
}
const settings = { directory, threads: options.threads };
console.log(`${machine()}, ${options.model}, ${options.threads} threads, ${options.tokens} new tokens`);
const contenders = [
  await startOurs('decode-server.js', settings),
  await startPython('CTranslate2', 'ct2_decode.py', settings),
  ...(options.transformers > 0 ? [await startPython('Transformers', 'hf_decode.py', settings)] : []),
];
console.log(
  '| beams | batch | ms a step | tokens/s | ÷ CTranslate2 | ÷ Transformers | same answers | peak GB (ours, CT2, HF) |',
);
console.log('|---|---|---|---|---|---|---|---|');
for (const beams of numbers(options.beams)) {
  for (const batch of numbers(options.batches)) {
    const round = { batch, beams, new_tokens: options.tokens };
    const [ours, ...others] = await contest(contenders, round, options.turns);
    const answers = (reply: Reply) => reply.answers as number[][];
    const agreement = others.map(({ last }) => {
      const same = answers(last).filter((answer, i) => String(answer) === String(answers(ours!.last)[i])).length;
      return `${same}/${batch}`;
    });
    const ratios = others.map(({ median }) => (median / ours!.median).toFixed(2));
    const peaks = [ours!, ...others].map(({ peak }) => (peak / 1e9).toFixed(2));
    const step = ((1000 * ours!.median) / options.tokens).toFixed(1);
    const rate = ((batch * options.tokens) / ours!.median).toFixed(0);
    console.log(
      `| ${beams} | ${batch} | ${step} | ${rate} | ${ratios[0]} | ${ratios[1] ?? '–'} | ${agreement.join(', ')} | ${peaks.join(', ')} |`,
    );
  }
}
for (const contender of contenders) contender.stop();
