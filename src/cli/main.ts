#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { optionsMarkdown } from '../args/index.js';
import { nearest } from '../errors.js';
import { doctorCommand } from './doctor.js';
import { evalCommand } from './eval.js';
import { exportCommand } from './export.js';
import { describeFailure, exitCodeOf, exitCodes, UsageError } from './failure.js';
import { indexCommand } from './index-command.js';
import { predictCommand } from './predict.js';
import { quantizeCommand } from './quantize.js';
import { tokenizerCommand } from './tokenizer.js';
import { trainCommand } from './train.js';

const program = new Command('seq2seq')
  .description('Train, evaluate and run sequence-to-sequence transformers.')
  .version(packageVersion(), '-V, --version', 'print the version')
  .helpCommand(false)
  .addHelpText(
    'after',
    '\nResults go to stdout, progress and messages to stderr. Exit code: 0 all done, 1 failed, 2 bad usage.',
  );

const commands = [
  trainCommand,
  evalCommand,
  predictCommand,
  exportCommand,
  quantizeCommand,
  indexCommand,
  tokenizerCommand,
  doctorCommand,
  optionsCommand,
];
for (const command of commands) program.addCommand(command());
for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
  command
    .showSuggestionAfterError(false)
    .configureOutput({ outputError: () => {} })
    .exitOverride((error) => {
      throw withSuggestion(error, command);
    });
}

/** All options, as docs/options.md has them. */
function optionsCommand(): Command {
  return new Command('options').description('Print the table of all options as Markdown.').action(() => {
    process.stdout.write(optionsMarkdown());
  });
}

/** A complaint of the parser in our words, with the flag or command that was probably meant. */
function withSuggestion(error: CommanderError, command: Command): Error {
  if (error.exitCode === 0) return error;
  if (error.code === 'commander.help')
    return new UsageError(command.name(), 'which command? The help above lists them.');
  const message = error.message.replace(/^error: /, '').replace(/\.?$/, '.');
  const unknown = /'([^']+)'/.exec(message)?.[1] ?? '';
  const candidates: Partial<Record<string, string[]>> = {
    'commander.unknownOption': command.options.map((option) => option.long ?? ''),
    'commander.unknownCommand': command.commands.map((known) => known.name()),
  };
  const close = nearest(unknown, candidates[error.code] ?? []);
  const help = `${pathOf(command)} --help`;
  return new UsageError(command.name(), `${message} ${close ? `Did you mean ${close}?` : `See ${help}.`}`);
}

/** The words that call a command: `seq2seq tokenizer train`. */
function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

function packageVersion(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function end(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(exitCodes.brokenPipe);
  const helped = error instanceof CommanderError;
  if (!helped) process.stderr.write(`${describeFailure(error)}\n`);
  leave(helped ? exitCodes.done : exitCodeOf(error));
}

/** Exits once all output is out, whatever the engine's threads or an open stdin would still wait for. */
function leave(code: number): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

process.stdout.on('error', end);
program.parseAsync().then(() => leave(exitCodes.done), end);
