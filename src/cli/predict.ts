import { Command } from 'commander';
import { readLines } from '../data/index.js';
import { fail } from '../errors.js';
import { Progress } from '../progress.js';
import type { Answer, Prediction, Seq2SeqModel, warnUnfinished } from '../seq2seq-model.js';
import { stopSignal, unlessStopped, usage } from './failure.js';
import { addArgsFlags } from './flags.js';
import { requireReadable } from './input.js';
import { addModelFlags, requestedModel, withModel } from './model.js';
import { type Output, openOutput } from './output.js';

interface Flags {
  readonly input?: string;
  readonly output?: string;
  readonly json?: boolean;
  readonly scores?: boolean;
  readonly resume?: boolean;
}

export function predictCommand(): Command {
  const command = new Command('predict')
    .description('Answer each line of a text, in its order. An empty line is a text, too.')
    .option('--input <file>', 'texts, one a line (stdin without it)')
    .option('--output <file>', 'answers, one a line; the file appears when all are there (stdout without it)')
    .option(
      '--json',
      'write {"outputs": [answers]} for each text; of a rag-token or rag-sequence with {"documents": […]}',
    )
    .option('--scores', 'with --json, also the scores of answers and of their tokens')
    .option('--resume', 'go on behind the answers that a stopped run left for --output')
    .addHelpText('after', '\nWithout --json an answer is a line of its own; line breaks within it become spaces.');
  addArgsFlags(addModelFlags(command), [
    'Generation',
    'Model',
    'Retrieval',
    'evalBatchSize',
    'batchTokens',
    'processCount',
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

async function predict(flags: Flags, command: Command): Promise<void> {
  const { input, output: target, json = false, scores = false, resume = false } = flags;
  if (scores && !json) usage('--scores', 'needs --json, for lines of text have no place for them. Add it.');
  const load = requestedModel(command);
  if (input !== undefined) requireReadable(input, 'predict');
  const signal = stopSignal();
  const output = openOutput(target, { resume });
  try {
    const work = withModel(load, signal, (model) => answer(model, { input, output, signal, json, scores, resume }));
    const answered = await unlessStopped(work, signal);
    if (answered === 0) fail('predict', `${input ?? 'stdin'} has no lines. Give one text a line.`);
    output.keep();
  } finally {
    const left = output.discard();
    if (left !== undefined) process.stderr.write(`predict: the answers so far are in ${left}. Go on with --resume.\n`);
  }
}

interface Work {
  readonly input: string | undefined;
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly json: boolean;
  readonly scores: boolean;
  readonly resume: boolean;
}

/** Answers the input line by line, and returns how many lines it had. */
async function answer(model: Seq2SeqModel, { input, output, signal, json, scores, resume }: Work): Promise<number> {
  const { encoding, silent, numReturnSequences } = model.args;
  const there = resume ? output.resume(json ? 1 : numReturnSequences) : 0;
  const progress = new Progress('Predicting', undefined, silent);
  progress.startAt(there);
  const format = json ? asJson(scores) : asText;
  const inOrder = new InOrder(there);
  let answered = there;
  let cut: Parameters<typeof warnUnfinished> | undefined;
  const lines = linesFrom(there, readLines(input ?? process.stdin, { encoding }));
  const stream = model.predict(lines, {
    stream: true,
    scores,
    signal,
    firstIndex: there,
    onProgress: (done) => progress.update(there + done),
    onUnfinished: (...numbers) => {
      cut = numbers;
    },
  });
  for await (const { index, answers, documents } of stream) {
    const ready = inOrder.add(index, format(answers, documents));
    answered += ready.length;
    if (ready.length > 0) await output.write(ready.join(''));
  }
  progress.update(answered);
  progress.finish();
  if (cut && !silent) (await import('../seq2seq-model.js')).warnUnfinished(...cut);
  return answered;
}

/** The lines behind those that have answers. */
async function* linesFrom(skipped: number, lines: AsyncIterable<string>): AsyncGenerator<string> {
  let count = 0;
  for await (const line of lines) if (count++ >= skipped) yield line;
  if (count < skipped) {
    fail('predict', `the output has answers to ${skipped} lines, but the input only ${count}. Is it the same input?`);
  }
}

/** Gives back what comes in any order in the order of its numbers. */
class InOrder {
  readonly #waiting = new Map<number, string>();
  #next: number;

  constructor(first: number) {
    this.#next = first;
  }

  add(index: number, text: string): string[] {
    this.#waiting.set(index, text);
    const ready: string[] = [];
    for (let each = this.#waiting.get(this.#next); each !== undefined; each = this.#waiting.get(this.#next)) {
      ready.push(each);
      this.#waiting.delete(this.#next++);
    }
    return ready;
  }
}

const asJson = (scores: boolean) => (answers: readonly Answer[], documents?: Prediction['documents']) => {
  const outputs = answers.map(({ text }) => text);
  const given = scores && {
    scores: answers.map(({ score }) => score),
    tokenScores: answers.map(({ tokenScores }) => [...tokenScores]),
  };
  return `${JSON.stringify({ outputs, ...given, ...(documents && { documents }) })}\n`;
};

function asText(answers: readonly Answer[]): string {
  return answers.map(({ text }) => `${text.replace(/[\r\n]+/g, ' ')}\n`).join('');
}
