import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Seq2SeqModel } from '../src/index.js';
import { serve } from './contest.js';

// Our side of bench/train-epoch.ts: an epoch through the public API, from fresh weights each time.

interface Settings {
  readonly directory: string;
  readonly type: string;
  readonly threads: number;
}
const { directory, type, threads } = JSON.parse(process.argv[2] ?? '{}') as Settings;
const rows = readFileSync(path.join(directory, 'rows.tsv'), 'utf8')
  .split('\n')
  .slice(1, -1)
  .map((line) => {
    const [input_text, target_text] = line.split('\t') as [string, string];
    return { input_text, target_text };
  });
const noDropout = { dropout: 0, attention_dropout: 0, activation_dropout: 0 };
const noBertDropout = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };

await serve(async (round: { rows: number; batch: number; dropout: boolean }) => {
  const place = path.join(directory, 'model');
  const isBart = type === 'bart';
  const model = await Seq2SeqModel.load({
    ...(isBart
      ? { encoderDecoderType: 'bart', encoderDecoderName: place }
      : { encoderType: type, encoderName: path.join(place, 'encoder'), decoderName: path.join(place, 'decoder') }),
    config: round.dropout ? {} : isBart ? noDropout : { encoder: noBertDropout, decoder: noBertDropout },
    args: {
      silent: true,
      threads,
      manualSeed: 1,
      trainBatchSize: round.batch,
      noSave: true,
      noCache: true,
      loggingSteps: 0,
    },
  });
  // The first step compiles the program; it counts for both sides, as does making its state.
  const start = performance.now();
  const outputDir = path.join(os.tmpdir(), `train-epoch-${process.pid}`);
  const { trainingLoss } = await model.trainModel(rows.slice(0, round.rows), {
    outputDir,
    args: { overwriteOutputDir: true },
  });
  const seconds = (performance.now() - start) / 1000;
  model.dispose();
  return { seconds, loss: trainingLoss };
});
process.exit(0);
