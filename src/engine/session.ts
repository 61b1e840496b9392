import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fail, nearest } from '../errors.js';
import { api, check, created } from './api.js';
import { physicalCores } from './cores.js';
import { environment, LOG_NOTHING } from './environment.js';
import type { Tensors } from './signature.js';
import { defectOf, giveBack, handleOf, retain, Tensor } from './tensor.js';

/** `GraphOptimizationLevel` of the C API. */
const OPTIMIZATION_LEVELS = { disabled: 0, basic: 1, extended: 2, all: 99 } as const;
const SEQUENTIAL = 0;
/**
 * Threads stop waiting busily when a run ends. Programs that take turns would otherwise slow each other down: the threads
 * of the last one still spin when the next one starts.
 */
const SESSION_CONFIG: Readonly<Record<string, string>> = { 'session.force_spinning_stop': '1' };
const MAX_THREADS = 1024;

export interface ProgramOptions {
  /** Names the program in errors. */
  readonly name?: string;
  /** Threads that share the work of one operation; by default one a physical core. */
  readonly threads?: number;
  /** How far the graph is rewritten before it runs; `all` by default. */
  readonly optimization?: keyof typeof OPTIMIZATION_LEVELS;
  /**
   * Values of the model's external initializers, by name. They are folded and prepacked like any constant; an operation
   * that needs no other layout reads this very memory. Leave the values unchanged as long as the program lives.
   */
  readonly constants?: Tensors;
  /** Writes a trace of every operation to `<profile>_<time>.json`, complete once the program is disposed of. */
  readonly profile?: string;
  /** Plans the memory of intermediate values by the shapes of earlier runs; on by default. */
  readonly memoryPattern?: boolean;
  /** Keeps the memory of intermediate values for later runs; on by default. */
  readonly arena?: boolean;
  /** Further settings by ONNX Runtime's names, such as `session.intra_op.allow_spinning`: `'0'`. */
  readonly sessionConfig?: Readonly<Record<string, string>>;
}

/** An `OrtSession`, and the constants whose memory it reads. */
export class Session {
  readonly handle: bigint;
  readonly #constants: readonly Tensor[];
  #released = false;

  /** `label` stands for the program in errors. */
  constructor(label: string, model: Uint8Array, options: ProgramOptions) {
    if (!(model instanceof Uint8Array)) fail('engine', `${label}: its model must be the bytes of an ONNX file.`);
    const { createSessionOptions, createSessionFromArray, releaseSessionOptions } = api();
    const constants = checkedConstants(label, options.constants ?? {});
    const settings = created('make session options', (out) => createSessionOptions(out));
    try {
      configure(label, settings, options);
      bindConstants(label, settings, constants);
      this.handle = created(`load ${label}`, (out) =>
        createSessionFromArray(environment().handle, model, model.length, settings, out),
      );
    } finally {
      releaseSessionOptions(settings);
    }
    this.#constants = constants.map(([, tensor]) => tensor);
    for (const tensor of this.#constants) retain(tensor);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    api().releaseSession(this.handle);
    for (const tensor of this.#constants) giveBack(tensor);
  }
}

function configure(label: string, settings: bigint, options: ProgramOptions): void {
  const ort = api();
  const doing = `configure ${label}`;
  check(ort.setIntraOpNumThreads(settings, threadCount(label, options.threads ?? physicalCores())), doing);
  check(ort.setInterOpNumThreads(settings, 1), doing);
  check(ort.setSessionExecutionMode(settings, SEQUENTIAL), doing);
  check(ort.setSessionLogSeverityLevel(settings, LOG_NOTHING), doing);
  check(ort.setSessionGraphOptimizationLevel(settings, optimizationLevel(label, options.optimization ?? 'all')), doing);
  if (options.memoryPattern === false) check(ort.disableMemPattern(settings), doing);
  if (options.arena === false) check(ort.disableCpuMemArena(settings), doing);
  if (options.profile !== undefined) check(ort.enableProfiling(settings, profilePath(label, options.profile)), doing);
  for (const [key, value] of Object.entries({ ...SESSION_CONFIG, ...options.sessionConfig })) {
    if (typeof value !== 'string') fail('engine', `${label}: sessionConfig "${key}" must be a string, not ${value}.`);
    check(ort.addSessionConfigEntry(settings, key, value), doing);
  }
}

function threadCount(label: string, threads: number): number {
  if (Number.isInteger(threads) && threads >= 1 && threads <= MAX_THREADS) return threads;
  return fail('engine', `${label}: threads is ${threads}. Give an integer from 1 to ${MAX_THREADS}.`);
}

function optimizationLevel(label: string, name: string): number {
  const levels: Readonly<Record<string, number>> = OPTIMIZATION_LEVELS;
  if (Object.hasOwn(levels, name)) return levels[name]!;
  const known = Object.keys(levels);
  return fail(
    'engine',
    `${label}: there is no optimization "${String(name)}". Give "${nearest(String(name), known) ?? known.join('", "')}".`,
  );
}

/** The library writes nothing, silently, where it cannot. */
function profilePath(label: string, profile: string): string {
  if (typeof profile !== 'string' || profile === '')
    fail('engine', `${label}: profile must be the start of a file path.`);
  const path = resolve(profile);
  if (!existsSync(dirname(path))) fail('engine', `${label}: cannot profile to ${path}; there is no such directory.`);
  return path;
}

function checkedConstants(label: string, constants: Tensors): [string, Tensor][] {
  const entries = Object.entries(constants);
  for (const [name, tensor] of entries) {
    if (!(tensor instanceof Tensor)) fail('engine', `${label}: constant "${name}" is not a Tensor.`);
    const defect = defectOf(tensor);
    if (defect !== undefined) fail('engine', `${label}: constant "${name}" ${defect}.`);
  }
  return entries;
}

/**
 * The first call gives the optimizer the values, as a copy that is freed when the session is ready; the second makes the
 * session read the tensor's own memory instead of that copy. The first alone would keep the copy, the second alone
 * would look for the values in a file.
 */
function bindConstants(label: string, settings: bigint, constants: readonly [string, Tensor][]): void {
  if (constants.length === 0) return;
  const { addExternalInitializers, addInitializer } = api();
  const doing = `bind the constants of ${label}`;
  const names = constants.map(([name]) => name);
  const values = BigUint64Array.from(constants, ([, tensor]) => handleOf(tensor));
  check(addExternalInitializers(settings, names, values, constants.length), doing);
  for (const [name, tensor] of constants) check(addInitializer(settings, name, handleOf(tensor)), doing);
}
