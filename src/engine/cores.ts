import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { loadLibrary } from './native.js';

/** Counts by platform; on macOS the supported processors run one thread a core. */
const COUNTS: Partial<Record<NodeJS.Platform, () => number>> = { linux: linuxCores, win32: windowsCores };

let counted: number | undefined;

/** Processor cores this process may use, hyper-threads not counted: more threads than that slow matrix products down. */
export function physicalCores(): number {
  counted ??= Math.max(1, Math.min(count(), availableParallelism()));
  return counted;
}

function count(): number {
  try {
    return COUNTS[process.platform]?.() ?? availableParallelism();
  } catch {
    return availableParallelism(); // the system tells less than usual, as in some sandboxes
  }
}

/** Cores of the processors in our affinity mask, or fewer where a control group limits the time on them. */
function linuxCores(): number {
  const allowed = /^Cpus_allowed_list:\s*(.+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!;
  const cores = new Set(
    listedNumbers(allowed).map((cpu) =>
      readFileSync(`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`, 'utf8'),
    ),
  );
  return Math.min(cores.size, controlGroupQuota());
}

/** `0-2,5` → 0, 1, 2, 5. */
function listedNumbers(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** `cpu.max` holds "quota period" in microseconds, or "max period". */
function controlGroupQuota(): number {
  try {
    const [quota, period] = readFileSync('/sys/fs/cgroup/cpu.max', 'utf8').split(' ').map(Number);
    return quota! > 0 ? Math.ceil(quota! / period!) : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY; // no control groups of version 2
  }
}

/** Entries of `SYSTEM_LOGICAL_PROCESSOR_INFORMATION` (32 bytes, relation at 8) whose relation is RelationProcessorCore, 0. */
function windowsCores(): number {
  const query = loadLibrary('kernel32.dll').func('GetLogicalProcessorInformation', 'bool', ['void*', 'void*']);
  const size = new Uint32Array(1);
  query(null, size);
  const entries = new DataView(new ArrayBuffer(size[0]!));
  if (!query(entries.buffer, size)) return availableParallelism();
  let cores = 0;
  for (let offset = 0; offset < size[0]!; offset += 32) if (entries.getUint32(offset + 8, true) === 0) cores++;
  return cores;
}
