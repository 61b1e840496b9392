import { Command } from 'commander';
import { withSignatures } from '../metrics/index.js';
import { stopSignal, usage } from './failure.js';
import { addArgsFlags } from './flags.js';
import { requireReadable } from './input.js';
import { addModelFlags, requestedModel, withModel } from './model.js';
import { printResult } from './output.js';

interface Flags {
  readonly trainData?: string;
  readonly evalData?: string;
  readonly json?: boolean;
  /** True without a directory: the last checkpoint in the output directory. */
  readonly resumeFromCheckpoint?: string | true;
  readonly plot?: boolean;
}

export function trainCommand(): Command {
  const command = new Command('train')
    .description('Train a model on rows of input_text and target_text, and save it in --output-dir.')
    .option(
      '--train-data <file>',
      'rows to train on: TSV or CSV with a header, JSONL (also .gz), Parquet or Arrow (required)',
    )
    .option('--eval-data <file>', 'rows to evaluate on: while training with --evaluate-during-training, and at the end')
    .option(
      '--resume-from-checkpoint [dir]',
      'go on with a run that was stopped: from this checkpoint, or from the last one in --output-dir',
    )
    .option('--plot', 'end with a curve of the loss, here and as training_loss.svg in --output-dir')
    .option('--json', 'print the result as one JSON object');
  addArgsFlags(addModelFlags(command), ['Training', 'Data', 'Evaluation', 'Saving', 'Logging', 'Model', 'Retrieval']);
  return command.action(train);
}

async function train(
  { trainData, evalData, json, resumeFromCheckpoint, plot }: Flags,
  command: Command,
): Promise<void> {
  const load = requestedModel(command);
  if (trainData === undefined) usage('train', 'which rows? Give --train-data FILE.');
  // A wrong path for the last step should not be found out after hours of the first.
  for (const file of [trainData, evalData]) if (file !== undefined) requireReadable(file, 'train');
  const signal = stopSignal();
  const result = await withModel(load, signal, async (model) => {
    const { globalStep, trainingLoss } = await model.trainModel(trainData, { evalData, resumeFromCheckpoint, signal });
    if (plot) await (await import('./plot.js')).plotRun(model.args.outputDir);
    signal.throwIfAborted();
    const trained = { global_step: globalStep, training_loss: trainingLoss };
    return evalData === undefined
      ? trained
      : { ...trained, ...withSignatures(await model.evalModel(evalData, { signal })) };
  });
  await printResult(result, json);
}
