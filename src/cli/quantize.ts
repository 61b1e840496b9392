import { Command, Option } from 'commander';
import { directoryModel, requiredOutput } from './directory.js';
import { stopSignal, unlessStopped } from './failure.js';
import { withModel } from './model.js';

interface Flags {
  readonly output?: string;
  readonly bits: '4' | '8';
  readonly overwrite?: boolean;
}

export function quantizeCommand(): Command {
  return new Command('quantize')
    .description('Write the model in a directory with its matrices in few bits: smaller, and faster to predict with.')
    .argument('<dir>', 'the model: a directory as Hugging Face or this program saves it')
    .option('--output <dir>', 'where the quantized model goes (required)')
    .addOption(new Option('--bits <n>', '8 for accuracy, 4 for size').choices(['8', '4']).default('8'))
    .option('--overwrite', 'allow an --output that has files')
    .action(quantize);
}

async function quantize(
  directory: string,
  { output, bits, overwrite = false }: Flags,
  command: Command,
): Promise<void> {
  const place = requiredOutput(output, 'quantize');
  const signal = stopSignal();
  await unlessStopped(
    withModel(directoryModel(directory, command), signal, (model) =>
      model.saveQuantized(place, { bits: bits === '4' ? 4 : 8, overwrite }),
    ),
    signal,
  );
}
