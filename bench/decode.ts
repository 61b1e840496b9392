import { existsSync } from 'node:fs';
import path from 'node:path';
import { contest, flags, machine, type Reply, root, startOurs, startPython } from './contest.js';

// Greedy and beam search of a BART-base-size model, against CTranslate2 (float32) and Transformers on the same machine, in
// turns: `node dist/bench/decode.js --turns 5 --threads 2`. Every answer has exactly --tokens new tokens.

const options = flags({
  turns: 5,
  threads: 2,
  tokens: 64,
  transformers: 1,
  directory: path.join(root, 'bench/.cache/decode'),
});
if (!existsSync(path.join(options.directory, 'sources.json'))) {
  throw new Error(`${options.directory} holds no model. Run bench/python/setup.sh.`);
}
const settings = { directory: options.directory, threads: options.threads };
console.log(`${machine()}, ${options.threads} threads, ${options.tokens} new tokens`);
const contenders = [
  await startOurs('decode-server.js', settings),
  await startPython('CTranslate2', 'ct2_decode.py', settings),
  ...(options.transformers > 0 ? [await startPython('Transformers', 'hf_decode.py', settings)] : []),
];
console.log('| beams | batch | tokens/s | ÷ CTranslate2 | ÷ Transformers | same answers | peak GB (ours, CT2, HF) |');
console.log('|---|---|---|---|---|---|---|');
for (const beams of [1, 4]) {
  for (const batch of [1, 8, 32]) {
    const round = { batch, beams, new_tokens: options.tokens };
    const [ours, ...others] = await contest(contenders, round, options.turns);
    const answers = (reply: Reply) => reply.answers as number[][];
    const agreement = others.map(({ last }) => {
      const same = answers(last).filter((answer, i) => String(answer) === String(answers(ours!.last)[i])).length;
      return `${same}/${batch}`;
    });
    const ratios = others.map(({ median }) => (median / ours!.median).toFixed(2));
    const peaks = [ours!, ...others].map(({ peak }) => (peak / 1e9).toFixed(2));
    const rate = ((batch * options.tokens) / ours!.median).toFixed(0);
    console.log(
      `| ${beams} | ${batch} | ${rate} | ${ratios[0]} | ${ratios[1] ?? '–'} | ${agreement.join(', ')} | ${peaks.join(', ')} |`,
    );
  }
}
for (const contender of contenders) contender.stop();
