import process from 'node:process';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { Seq2SeqError } from '../src/index.js';

/** A line of what an example tells, under its title. */
export function say(title: string, text: string): void {
  console.log(`${title.padEnd(8)}  ${text}`);
}

export const count = (n: number) => n.toLocaleString('en');
export const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** The options and the other words of the command line; what is wrong with them is told together with the usage. */
export function readCommandLine<const T extends NonNullable<ParseArgsConfig['options']>>(
  area: string,
  usage: string,
  options: T,
): ReturnType<typeof parseArgs<{ options: T; allowPositionals: true }>> {
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new Seq2SeqError(area, `${(error as Error).message}\n\n${usage}`);
  }
}

/** Runs an example; a mistake that can be foreseen is told by its message alone. */
export async function run(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Seq2SeqError ? error.message : error);
    process.exitCode = 1;
  }
}
