import { Worker } from 'node:worker_threads';
import { preferHugePages } from '../engine/index.js';
import { fail } from '../errors.js';
import { wasm } from './kernels.generated.js';

/** The kernels and their arguments; `pointer`s are byte offsets into the task's memory. */
interface KernelArguments {
  adamw: [
    p: number,
    g: number,
    m: number,
    v: number,
    count: number,
    gradientScale: number,
    beta1: number,
    beta2: number,
    decay: number,
    stepSize: number,
    inverseBias: number,
    epsilon: number,
  ];
  squareSums: [g: number, rows: number, columns: number, epsilon: number, rowSums: number, columnSums: number];
  factoredSquares: [g: number, rows: number, columns: number, rowFactors: number, columnFactors: number];
  adafactor: [
    p: number,
    g: number,
    m: number,
    rows: number,
    columns: number,
    rowFactors: number,
    columnFactors: number,
    scale: number,
    beta1: number,
    decay: number,
  ];
  sumOfSquares: [x: number, count: number];
  dropoutMask: [mask: number, count: number, key1: number, key2: number, counter: number, threshold: number];
  innerProduct: [a: number, b: number, count: number];
  squaredDistance: [a: number, b: number, count: number];
  rowDistances: [
    query: number,
    table: number,
    ids: number,
    rows: number,
    dimension: number,
    metric: number,
    out: number,
  ];
}
type Kernel = keyof KernelArguments;

/** One call of a kernel on one memory. `count` elements of work tell small runs from large ones. */
export interface KernelTask {
  readonly memory: SharedMemory;
  readonly kernel: Kernel;
  readonly args: readonly number[];
  readonly count: number;
}

export function task<K extends Kernel>(
  memory: SharedMemory,
  kernel: K,
  count: number,
  args: KernelArguments[K],
): KernelTask {
  return { memory, kernel, args, count };
}

const PAGE = 65536;
const MAX_PAGES = 65536;
/** Smaller memories than this gain nothing from large pages. */
const LARGE = 1 << 24;
const bytes = Buffer.from(wasm, 'base64');
let compiled: WebAssembly.Module | undefined;

/** Memory that kernels on any thread, the engine and typed arrays see alike. It grows in place up to its maximum. */
export class SharedMemory {
  static #count = 0;
  readonly id = SharedMemory.#count++;
  readonly memory: WebAssembly.Memory;
  readonly exports: Record<Kernel, (...args: number[]) => number>;

  /** @param maximumBytes at most 4 GiB; address space is reserved, not used */
  constructor(initialBytes: number, maximumBytes: number) {
    const initial = Math.max(1, Math.ceil(initialBytes / PAGE));
    const maximum = Math.min(MAX_PAGES, Math.max(1, Math.ceil(maximumBytes / PAGE)));
    if (initial > maximum) fail('memory', `${initialBytes} bytes do not fit one shared memory of 4 GiB.`);
    try {
      this.memory = new WebAssembly.Memory({ initial, maximum, shared: true });
    } catch (error) {
      throw fail(
        'memory',
        `${initialBytes} bytes of shared memory cannot be had. Use a smaller model or batch.`,
        error,
      );
    }
    this.#advise();
    compiled ??= new WebAssembly.Module(bytes);
    const instance = new WebAssembly.Instance(compiled, { env: { memory: this.memory } });
    this.exports = instance.exports as never;
  }

  get byteLength(): number {
    return this.memory.buffer.byteLength;
  }

  /** Makes sure that `length` bytes are there. Views made before stay valid. */
  reserve(length: number): void {
    const missing = Math.ceil((length - this.byteLength) / PAGE);
    if (missing <= 0) return;
    try {
      this.memory.grow(missing);
    } catch (error) {
      fail(
        'memory',
        `${missing * PAGE} more bytes of shared memory cannot be had. Use a smaller model or batch.`,
        error,
      );
    }
    this.#advise();
  }

  #advise(): void {
    const { buffer } = this.memory;
    if (buffer.byteLength >= LARGE) preferHugePages(new Uint8Array(buffer));
  }
}

/** Runs below this many elements are done at once: waking threads would take longer. */
const INLINE_LIMIT = 1 << 20;

/** Threads that run kernels. Results do not depend on how many there are. */
export class KernelPool {
  readonly #threads: number;
  readonly #workers: Worker[] = [];
  readonly #known = new Set<number>();

  constructor(threads: number) {
    this.#threads = threads;
  }

  /** Runs all tasks, in any order, and returns their results in the order of the tasks. */
  async run(tasks: readonly KernelTask[]): Promise<Float64Array> {
    const total = tasks.reduce((sum, { count }) => sum + count, 0);
    if (total < INLINE_LIMIT || this.#threads === 0) {
      return Float64Array.from(tasks, ({ memory, kernel, args }) => memory.exports[kernel](...args) ?? 0);
    }
    this.#start();
    for (const { memory } of tasks) this.#introduce(memory);
    const next = new Int32Array(new SharedArrayBuffer(4));
    const results = new Float64Array(new SharedArrayBuffer(8 * tasks.length));
    const list = tasks.map(({ memory, kernel, args }) => ({ memory: memory.id, kernel, args }));
    await Promise.all(
      this.#workers.map(
        (worker) =>
          new Promise<void>((resolve, reject) => {
            const settle = (error?: Error) => {
              worker.off('error', settle).off('message', onMessage).unref();
              if (error) reject(error);
              else resolve();
            };
            const onMessage = () => settle();
            worker.ref();
            worker.on('error', settle).on('message', onMessage);
            worker.postMessage({ tasks: list, next, results });
          }),
      ),
    );
    return results;
  }

  /** Lets the threads forget a memory, so that it can be collected. */
  forget(memory: SharedMemory): void {
    if (!this.#known.delete(memory.id)) return;
    for (const worker of this.#workers) worker.postMessage({ forget: memory.id });
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#workers.splice(0).map((worker) => worker.terminate()));
    this.#known.clear();
  }

  #start(): void {
    while (this.#workers.length < this.#threads) {
      const worker = new Worker(new URL('./worker.mjs', import.meta.url), { workerData: { wasm: bytes } });
      worker.unref();
      this.#workers.push(worker);
    }
  }

  #introduce(memory: SharedMemory): void {
    if (this.#known.has(memory.id)) return;
    this.#known.add(memory.id);
    for (const worker of this.#workers) worker.postMessage({ id: memory.id, memory: memory.memory });
  }
}
