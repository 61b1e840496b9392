import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AutoModelForSeq2SeqLM, env, Tensor } from '@huggingface/transformers';
import { decoderModel, encoderModel } from '../src/export/index.js';
import { encodeWithWeights, type OnnxModel } from '../src/onnx/index.js';
import { type PredictRound, readBenchModel, readSources } from './bench-model.js';
import { serve } from './contest.js';

// transformers.js as a server of timed rounds, on the same model exported; greedy search, for it has no other.

const { directory, threads } = JSON.parse(process.argv[2] ?? '{}') as { directory: string; threads: number };
const place = path.join(directory, 'onnx');
if (!existsSync(path.join(place, 'config.json'))) writeExport(place);
env.allowRemoteModels = false;
env.localModelPath = directory;
const model = await AutoModelForSeq2SeqLM.from_pretrained('onnx', {
  dtype: 'fp32',
  session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
});
const sources = readSources(directory);
const { eos_token_id: eos, pad_token_id: pad } = model.config as unknown as Record<string, number>;

function writeExport(place: string): void {
  const { architecture, weights, config, generationConfig } = readBenchModel(directory);
  mkdirSync(path.join(place, 'onnx'), { recursive: true });
  const isZero = (name: string) => weights.isZero(name);
  const write = (name: string, onnx: OnnxModel) =>
    writeFileSync(
      path.join(place, 'onnx', `${name}.onnx`),
      Buffer.concat(encodeWithWeights(onnx, (each) => weights.array(each))),
    );
  write('encoder_model', encoderModel(architecture, isZero));
  write('decoder_model_merged', decoderModel(architecture, isZero));
  writeFileSync(path.join(place, 'generation_config.json'), JSON.stringify(generationConfig));
  writeFileSync(path.join(place, 'config.json'), JSON.stringify(config));
}

const int64 = (rows: number[][]) =>
  new Tensor('int64', BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]!.length]);

await serve(async ({ count, batch, new_tokens: most, ends }: PredictRound) => {
  const answers = new Array<number[]>(count);
  const start = performance.now();
  const order = Array.from({ length: count }, (_, line) => line).sort(
    (a, b) => sources[b]!.length - sources[a]!.length,
  );
  for (let first = 0; first < count; first += batch) {
    const lines = order.slice(first, first + batch);
    const width = sources[lines[0]!]!.length;
    const padded = (fill: (source: Int32Array) => number[], rest: number) =>
      int64(lines.map((line) => [...fill(sources[line]!), ...Array<number>(width - sources[line]!.length).fill(rest)]));
    const found = (await model.generate({
      input_ids: padded((source) => [...source], pad!),
      attention_mask: padded((source) => [...source].map(() => 1), 0),
      max_new_tokens: most,
      min_new_tokens: ends ? 0 : most,
      forced_eos_token_id: null,
    } as Record<string, unknown>)) as Tensor;
    const rows = (found.tolist() as bigint[][]).map((ids) => ids.slice(1).map(Number));
    for (const [i, line] of lines.entries()) {
      const end = rows[i]!.indexOf(eos!);
      answers[line] = ends && end >= 0 ? rows[i]!.slice(0, end + 1) : rows[i]!;
    }
  }
  return { seconds: (performance.now() - start) / 1000, answers };
});
process.exit(0);
