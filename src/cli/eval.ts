import { Command } from 'commander';
import { withSignatures } from '../metrics/index.js';
import { stopSignal, unlessStopped, usage } from './failure.js';
import { addArgsFlags } from './flags.js';
import { requireReadable } from './input.js';
import { addModelFlags, requestedModel, withModel } from './model.js';
import { printResult } from './output.js';

interface Flags {
  readonly evalData?: string;
  readonly json?: boolean;
}

export function evalCommand(): Command {
  const command = new Command('eval')
    .description('Evaluate a model on rows of input_text and target_text; eval_results.txt goes to --output-dir.')
    .option(
      '--eval-data <file>',
      'rows to evaluate on: TSV or CSV with a header, JSONL (also .gz), Parquet or Arrow (required)',
    )
    .option('--json', 'print the result as one JSON object');
  addArgsFlags(addModelFlags(command), [
    'Evaluation',
    'Generation',
    'Data',
    'Model',
    'Retrieval',
    'outputDir',
    'silent',
  ]);
  return command.action(evaluate);
}

async function evaluate({ evalData, json }: Flags, command: Command): Promise<void> {
  const load = requestedModel(command);
  if (evalData === undefined) usage('eval', 'which rows? Give --eval-data FILE.');
  requireReadable(evalData, 'eval');
  const signal = stopSignal();
  const result = await unlessStopped(
    withModel(load, signal, (model) => model.evalModel(evalData, { signal })),
    signal,
  );
  await printResult(withSignatures(result), json);
}
