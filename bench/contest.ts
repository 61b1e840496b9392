import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface, type Interface } from 'node:readline';

/** The repository's root, seen from `dist/bench`. */
export const root = path.join(import.meta.dirname, '../..');

export interface Reply {
  readonly seconds: number;
  /** The process's peak memory so far. */
  readonly rss_bytes: number;
  readonly [more: string]: unknown;
}

/** A process that answers each line of JSON, a round to be timed, with a line of JSON. */
export class Contender {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(name: string, child: ChildProcess, lines: Interface) {
    this.name = name;
    this.#process = child;
    this.#lines = lines[Symbol.asyncIterator]();
  }

  static async start(name: string, command: string, args: readonly string[]): Promise<Contender> {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], cwd: root });
    const contender = new Contender(name, child, createInterface({ input: child.stdout! }));
    await contender.#next();
    return contender;
  }

  async round(round: object): Promise<Reply> {
    this.#process.stdin!.write(`${JSON.stringify(round)}\n`);
    return JSON.parse(await this.#next()) as Reply;
  }

  stop(): void {
    this.#process.stdin!.end();
  }

  async #next(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name} ended. Its message is above.`);
    return value;
  }
}

/** Python in the environment that bench/python/setup.sh makes, and the arguments that run one of the scripts there. */
export function pythonCommand(script: string, ...args: readonly string[]): [command: string, args: string[]] {
  const python = process.env.BENCH_PYTHON ?? path.join(root, 'bench/.venv/bin/python');
  if (!existsSync(python)) throw new Error(`${python} is missing. Run bench/python/setup.sh, or set BENCH_PYTHON.`);
  return [python, [path.join(root, 'bench/python', script), ...args]];
}

/** Starts one of the Python servers. */
export function startPython(name: string, script: string, settings: object): Promise<Contender> {
  return Contender.start(name, ...pythonCommand(script, JSON.stringify(settings)));
}

/** Starts one of our servers, beside the compiled benchmarks. */
export function startOurs(script: string, settings: object): Promise<Contender> {
  return Contender.start('simple-seq2seq', process.execPath, [
    path.join(import.meta.dirname, script),
    JSON.stringify(settings),
  ]);
}

export interface Standing {
  readonly name: string;
  readonly median: number;
  readonly peak: number;
  readonly last: Reply;
}

/**
 * The same round for all, in turns, so that a change in the machine's speed meets everyone. Before the first turn all warm up,
 * by the same round or by a shorter one.
 */
export async function contest(
  contenders: readonly Contender[],
  round: object,
  turns: number,
  warmUp = round,
): Promise<Standing[]> {
  const replies = contenders.map((): Reply[] => []);
  for (const contender of contenders) await contender.round(warmUp);
  for (let turn = 0; turn < turns; turn++) {
    for (const [i, contender] of contenders.entries()) replies[i]!.push(await contender.round(round));
  }
  return contenders.map(({ name }, i) => ({
    name,
    median: median(replies[i]!.map(({ seconds }) => seconds)),
    peak: Math.max(...replies[i]!.map(({ rss_bytes }) => rss_bytes)),
    last: replies[i]!.at(-1)!,
  }));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Our side of the protocol: answers each line of stdin. */
export async function serve(answer: (round: never) => Promise<Record<string, unknown>>): Promise<void> {
  console.log(JSON.stringify({ ready: true }));
  for await (const line of createInterface({ input: process.stdin })) {
    const reply = await answer(JSON.parse(line) as never);
    console.log(JSON.stringify({ ...reply, rss_bytes: process.resourceUsage().maxRSS * 1024 }));
  }
}

/** A made-up token id, the same as in bench/python/bart_base.py. */
export const token = (row: number, column: number): number => 4 + ((7919 * row + 104729 * column) % 50000);

/** facebook/bart-base, with every dropout of its config. */
export const bartBase = {
  model_type: 'bart',
  vocab_size: 50265,
  d_model: 768,
  encoder_layers: 6,
  decoder_layers: 6,
  encoder_attention_heads: 12,
  decoder_attention_heads: 12,
  encoder_ffn_dim: 3072,
  decoder_ffn_dim: 3072,
  max_position_embeddings: 1024,
  activation_function: 'gelu',
  dropout: 0.1,
  attention_dropout: 0.1,
  activation_dropout: 0.1,
};

/** A line that names the machine. */
export function machine(): string {
  const [cpu] = os.cpus();
  return `${cpu?.model ?? 'unknown processor'}, ${os.cpus().length} cores, ${(os.totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.version}`;
}

/** Flags of the form `--name value`; each stands for a number or a text. */
export function flags<T extends Record<string, number | string>>(defaults: T): T {
  const given = Object.fromEntries(
    process.argv.slice(2).flatMap((flag, i, all) => (flag.startsWith('--') ? [[flag.slice(2), all[i + 1] ?? '']] : [])),
  );
  const unknown = Object.keys(given).filter((name) => !(name in defaults));
  if (unknown.length > 0) throw new Error(`unknown flags ${unknown}; known are ${Object.keys(defaults)}`);
  const entries = Object.entries(defaults).map(([name, value]) => {
    const text = given[name];
    return [name, text === undefined ? value : typeof value === 'number' ? Number(text) : text];
  });
  return Object.fromEntries(entries) as T;
}
