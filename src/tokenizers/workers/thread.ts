import { Worker } from 'node:worker_threads';
import { Seq2SeqError } from '../../errors.js';
import type { EncodeOptions } from '../tokenizer.js';
import type { PackedRun } from './packed-tokens.js';

/** What a thread makes its tokenizer of, and how that is to encode. */
export interface ThreadSetup {
  readonly files: ReadonlyMap<string, string | Uint8Array>;
  readonly modelType: string;
  readonly options: EncodeOptions;
}

/** Threads run what was built, since Node reads no TypeScript; where this file is one, as in tests, that lies in `dist`. */
const WORKER = import.meta.url.endsWith('.ts') ? '../../../dist/src/tokenizers/workers/worker.js' : './worker.js';

interface Waiting {
  resolve(run: PackedRun): void;
  reject(error: Error): void;
}

/** A thread with a tokenizer of its own. It keeps the process alive only while it has texts. */
export class EncoderThread {
  readonly #worker: Worker;
  /** In the order of their texts, which is that of the answers. */
  readonly #waiting: Waiting[] = [];
  #failure: Error | undefined;

  constructor(setup: ThreadSetup, script = new URL(WORKER, import.meta.url)) {
    // Options of this process, such as --input-type, may not suit a file.
    this.#worker = new Worker(script, { workerData: setup, execArgv: [] });
    this.#worker
      .on('message', (run: PackedRun) => {
        this.#waiting.shift()?.resolve(run);
        if (this.#waiting.length === 0) this.#worker.unref();
      })
      .on('messageerror', (error) => this.#fail(error.message, error))
      .on('error', (error) => this.#fail(error instanceof Error ? error.message : String(error), error))
      .on('exit', (code) => this.#fail(`exit code ${code}`))
      .unref();
  }

  encode(texts: readonly string[]): Promise<PackedRun> {
    return new Promise((resolve, reject) => {
      if (this.#failure) throw this.#failure;
      this.#worker.postMessage(texts);
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
