import type { Command } from 'commander';
import type { Seq2SeqModel } from '../seq2seq-model.js';
import { usage } from './failure.js';
import { givenArgs } from './flags.js';

/** How to load the model in a directory that a command line names, whatever its type. */
export function directoryModel(directory: string, command: Command): () => Promise<Seq2SeqModel> {
  const args = givenArgs(command);
  return async () => {
    const [{ typeOfDirectory }, { Seq2SeqModel }] = await Promise.all([
      import('../directory-type.js'),
      import('../seq2seq-model.js'),
    ]);
    const encoderDecoderType = typeOfDirectory(directory);
    return Seq2SeqModel.load({ encoderDecoderType, encoderDecoderName: directory, args });
  };
}

/** What `--output` names. */
export function requiredOutput(output: string | undefined, command: string): string {
  return output ?? usage(command, 'where to? Give --output DIR.');
}
