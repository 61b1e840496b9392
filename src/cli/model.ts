import { type Command, Option } from 'commander';
import type { Seq2SeqModel } from '../seq2seq-model.js';
import { usage } from './failure.js';
import { givenArgs, readJsonObject } from './flags.js';

/** What each flag of model selection says; encoder and decoder by themselves are for the generic encoder-decoders. */
const selection = {
  '--encoder-decoder-type <type>': 'architecture of the model: bart',
  '--encoder-decoder-name <dir>': 'directory of the model, as Hugging Face or this program saves it',
  '--model-config <file>': "a model's config.json: alone a model starts fresh from it, with a name it overrides values",
};
const generic = ['--encoder-type <type>', '--encoder-name <dir>', '--decoder-name <dir>'];

export function addModelFlags(command: Command): Command {
  for (const [flags, description] of Object.entries(selection)) {
    command.addOption(new Option(flags, description).helpGroup('Which model:'));
  }
  for (const flags of generic) command.addOption(new Option(flags).hideHelp());
  return command;
}

interface Choice {
  readonly encoderDecoderType: string;
  readonly encoderDecoderName?: string;
  readonly config?: Record<string, unknown>;
}

function chosenModel(command: Command): Choice {
  const values: Record<string, string | undefined> = command.opts();
  for (const name of ['encoderType', 'encoderName', 'decoderName'] as const) {
    if (values[name] !== undefined) {
      usage(
        command.name(),
        'models of a separate encoder and decoder come with a later release. Use --encoder-decoder-type bart.',
      );
    }
  }
  const { encoderDecoderType, encoderDecoderName, modelConfig } = values;
  if (encoderDecoderType === undefined || (encoderDecoderName === undefined && modelConfig === undefined)) {
    usage(
      command.name(),
      'which model? Give --encoder-decoder-type with --encoder-decoder-name DIR, or with --model-config FILE for a fresh one.',
    );
  }
  return {
    encoderDecoderType,
    ...(encoderDecoderName === undefined ? {} : { encoderDecoderName }),
    ...(modelConfig === undefined ? {} : { config: readJsonObject('--model-config', modelConfig) }),
  };
}

/** How to load the model that a command line asks for. What was asked is checked at once, and loaded when called. */
export function requestedModel(command: Command): () => Promise<Seq2SeqModel> {
  const args = givenArgs(command);
  const choice = chosenModel(command);
  // Imported late: help and usage errors need no engine.
  return async () => (await import('../seq2seq-model.js')).Seq2SeqModel.load({ ...choice, args });
}

/** Lends the model to `use` and releases it after; not when stopped, for then the engine may still be computing. */
export async function withModel<T>(
  load: () => Promise<Seq2SeqModel>,
  signal: AbortSignal,
  use: (model: Seq2SeqModel) => Promise<T>,
): Promise<T> {
  const model = await load();
  try {
    signal.throwIfAborted();
    return await use(model);
  } finally {
    if (!signal.aborted) model.dispose();
  }
}
