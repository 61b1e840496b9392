import { api, created } from './api.js';

/** `OrtLoggingLevel` FATAL: errors come as statuses, and would be on stderr a second time. */
export const LOG_NOTHING = 4;
const DEVICE_ALLOCATOR = 0;
const DEFAULT_MEMORY = 0;

export interface Environment {
  /** The process's one `OrtEnv`. It is never released: sessions may live until the process ends. */
  readonly handle: bigint;
  /** `OrtMemoryInfo` of plain main memory, where all tensors lie. */
  readonly mainMemory: bigint;
  /** `OrtAllocator` of the strings that the API hands out. */
  readonly allocator: bigint;
}

let started: Environment | undefined;

/** What every session and tensor needs, made at the first call. */
export function environment(): Environment {
  started ??= start();
  return started;
}

function start(): Environment {
  const { createEnv, createCpuMemoryInfo, getAllocatorWithDefaultOptions } = api();
  return {
    handle: created('start', (out) => createEnv(LOG_NOTHING, 'seq2seq', out)),
    mainMemory: created('use main memory', (out) => createCpuMemoryInfo(DEVICE_ALLOCATOR, DEFAULT_MEMORY, out)),
    allocator: created('find its allocator', (out) => getAllocatorWithDefaultOptions(out)),
  };
}
