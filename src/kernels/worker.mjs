// One thread of the kernel pool: takes tasks off a shared list until it is empty, then says so.
import { parentPort, workerData } from 'node:worker_threads';

const module = new WebAssembly.Module(workerData.wasm);
/** @type {Map<number, Record<string, (...args: number[]) => number>>} */
const kernels = new Map();

parentPort?.on('message', (message) => {
  if (message.memory) {
    const instance = new WebAssembly.Instance(module, { env: { memory: message.memory } });
    kernels.set(message.id, /** @type {any} */ (instance.exports));
    return;
  }
  if (message.forget !== undefined) {
    kernels.delete(message.forget);
    return;
  }
  const { tasks, next, results } = message;
  for (let i = Atomics.add(next, 0, 1); i < tasks.length; i = Atomics.add(next, 0, 1)) {
    const { memory, kernel, args } = tasks[i];
    results[i] = kernels.get(memory)?.[kernel]?.(...args) ?? 0;
  }
  parentPort?.postMessage('done');
});
