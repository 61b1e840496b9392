import { Command } from 'commander';
import { fail } from '../errors.js';
import { Progress } from '../progress.js';
import type { Seq2SeqModel } from '../seq2seq-model.js';
import { stopSignal, unlessStopped } from './failure.js';
import { addArgsFlags } from './flags.js';
import { lineChunks, requireReadable } from './input.js';
import { addModelFlags, requestedModel, withModel } from './model.js';
import { type Output, openOutput } from './output.js';

interface Flags {
  readonly input?: string;
  readonly output?: string;
  readonly json?: boolean;
}

export function predictCommand(): Command {
  const command = new Command('predict')
    .description('Answer each line of a text, in its order. An empty line is a text, too.')
    .option('--input <file>', 'texts, one a line (stdin without it)')
    .option('--output <file>', 'answers, one a line; the file appears when all are there (stdout without it)')
    .option('--json', 'write {"outputs": [answers]} for each text')
    .addHelpText('after', '\nWithout --json an answer is a line of its own; line breaks within it become spaces.');
  addArgsFlags(addModelFlags(command), [
    'Generation',
    'Model',
    'evalBatchSize',
    'maxSeqLength',
    'encoding',
    'srcLang',
    'tgtLang',
    'doLowerCase',
    'manualSeed',
    'silent',
  ]);
  return command.action(predict);
}

async function predict({ input, output: target, json = false }: Flags, command: Command): Promise<void> {
  const load = requestedModel(command);
  if (input !== undefined) requireReadable(input, 'predict');
  const signal = stopSignal();
  const output = openOutput(target);
  try {
    const work = withModel(load, signal, (model) =>
      answer(model, { input, output, signal, format: json ? asJson : asText }),
    );
    const answered = await unlessStopped(work, signal);
    if (answered === 0) fail('predict', `${input ?? 'stdin'} has no lines. Give one text a line.`);
    output.keep();
  } finally {
    output.discard();
  }
}

interface Work {
  readonly input: string | undefined;
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly format: (answers: readonly string[]) => string;
}

/** Answers the input chunk by chunk and returns how many lines it had. */
async function answer(model: Seq2SeqModel, { input, output, signal, format }: Work): Promise<number> {
  const { evalBatchSize, encoding, silent } = model.args;
  const progress = new Progress('Predicting', undefined, silent);
  let answered = 0;
  const cut = { unfinished: 0, answers: 0, maxLength: 0 };
  // Several batches at once, so that the model can put texts of like length together.
  for await (const texts of lineChunks(input, Math.max(256, 8 * evalBatchSize), encoding)) {
    const answers = await model.predict(texts, {
      signal,
      onProgress: (done) => progress.update(answered + done),
      onUnfinished: (unfinished, _, maxLength) => {
        cut.unfinished += unfinished;
        cut.maxLength = maxLength;
      },
    });
    cut.answers += answers.flat().length;
    await output.write(answers.map((each) => format([each].flat())).join(''));
    answered += texts.length;
  }
  progress.update(answered);
  progress.finish();
  if (cut.unfinished > 0 && !silent) {
    const { warnUnfinished } = await import('../seq2seq-model.js');
    warnUnfinished(cut.unfinished, cut.answers, cut.maxLength);
  }
  return answered;
}

function asJson(answers: readonly string[]): string {
  return `${JSON.stringify({ outputs: answers })}\n`;
}

function asText(answers: readonly string[]): string {
  return answers.map((answer) => `${answer.replace(/[\r\n]+/g, ' ')}\n`).join('');
}
