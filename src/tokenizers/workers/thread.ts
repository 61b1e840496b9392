import { Worker } from 'node:worker_threads';
import { Seq2SeqError } from '../../errors.js';
import type { DecodeOptions, EncodeOptions } from '../tokenizer.js';
import type { DecodedRun, PackedRun } from './packed-tokens.js';

/** What a thread makes its tokenizer of. */
export interface ThreadSetup {
  readonly files: ReadonlyMap<string, string | Uint8Array>;
  readonly modelType: string;
}

/** What a thread is asked: tokens of texts, or texts of tokens, those of text i being ids[offsets[i] … offsets[i + 1]). */
export type ThreadTask =
  | { readonly texts: readonly string[]; readonly options: EncodeOptions }
  | { readonly ids: Int32Array; readonly offsets: Uint32Array; readonly options: DecodeOptions };

type Answer = PackedRun | DecodedRun;

/** Threads run what was built, since Node reads no TypeScript; where this file is one, as in tests, that lies in `dist`. */
const WORKER = import.meta.url.endsWith('.ts') ? '../../../dist/src/tokenizers/workers/worker.js' : './worker.js';

interface Waiting {
  resolve(run: Answer): void;
  reject(error: Error): void;
}

/** A thread with a tokenizer of its own. It keeps the process alive only while it has work. */
export class TokenizerThread {
  readonly #worker: Worker;
  /** In the order of their tasks, which is that of the answers. */
  readonly #waiting: Waiting[] = [];
  #failure: Error | undefined;

  constructor(setup: ThreadSetup, script = new URL(WORKER, import.meta.url)) {
    // Options of this process, such as --input-type, may not suit a file.
    this.#worker = new Worker(script, { workerData: setup, execArgv: [] });
    this.#worker
      .on('message', (run: Answer) => {
        this.#waiting.shift()?.resolve(run);
        if (this.#waiting.length === 0) this.#worker.unref();
      })
      .on('messageerror', (error) => this.#fail(error.message, error))
      .on('error', (error) => this.#fail(error instanceof Error ? error.message : String(error), error))
      .on('exit', (code) => this.#fail(`exit code ${code}`))
      .unref();
  }

  encode(texts: readonly string[], options: EncodeOptions = {}): Promise<PackedRun> {
    return this.#ask({ texts, options }) as Promise<PackedRun>;
  }

  decode(batch: readonly ArrayLike<number>[], options: DecodeOptions = {}): Promise<DecodedRun> {
    const offsets = new Uint32Array(batch.length + 1);
    for (const [i, { length }] of batch.entries()) offsets[i + 1] = offsets[i]! + length;
    const ids = new Int32Array(offsets[batch.length]!);
    for (const [i, each] of batch.entries()) ids.set(each, offsets[i]);
    return this.#ask({ ids, offsets, options }) as Promise<DecodedRun>;
  }

  #ask(task: ThreadTask): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#failure) throw this.#failure;
      this.#worker.postMessage(task);
      this.#waiting.push({ resolve, reject });
      this.#worker.ref();
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(reason: string, cause?: unknown): void {
    this.#failure ??= new Seq2SeqError(
      'tokenizer',
      `a worker thread ended early: ${reason.replace(/\.$/, '')}. Set processCount to 1 to tokenise without threads.`,
      { cause },
    );
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}
