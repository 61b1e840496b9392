import { Command } from 'commander';
import { directoryModel, requiredOutput } from './directory.js';
import { stopSignal, unlessStopped } from './failure.js';
import { addArgsFlags } from './flags.js';
import { withModel } from './model.js';

interface Flags {
  readonly output?: string;
  readonly overwrite?: boolean;
}

export function exportCommand(): Command {
  const command = new Command('export')
    .description('Write the model in a directory as ONNX files that transformers.js and Optimum run.')
    .argument('<dir>', 'the model: a directory as Hugging Face or this program saves it')
    .option('--output <dir>', 'where the files go (required)')
    .option('--overwrite', 'allow an --output that has files');
  addArgsFlags(command, ['srcLang', 'tgtLang']);
  return command.action(exportModel);
}

async function exportModel(directory: string, { output, overwrite = false }: Flags, command: Command): Promise<void> {
  const place = requiredOutput(output, 'export');
  const signal = stopSignal();
  const load = directoryModel(directory, command);
  await unlessStopped(
    withModel(load, signal, (model) => model.exportOnnx(place, { overwrite })),
    signal,
  );
}
