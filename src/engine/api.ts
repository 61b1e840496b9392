import koffi from 'koffi';
import { fail } from '../errors.js';
import { findLibrary } from './library.js';
import { loadLibrary } from './native.js';

/**
 * The functions used of ONNX Runtime's C API: position in `struct OrtApi` (`onnxruntime_c_api.h`; the table only ever
 * grows at its end), parameters, and the result where it is not a status. `path` is `ORTCHAR_T*`: UTF-16 on Windows,
 * UTF-8 elsewhere.
 */
const FUNCTIONS = {
  getErrorMessage: [2, ['pointer'], 'text'],
  createEnv: [3, ['int', 'text', 'pointer']],
  createSessionFromArray: [8, ['pointer', 'pointer', 'size', 'pointer', 'pointer']],
  run: [9, ['pointer', 'pointer', 'pointer', 'pointer', 'size', 'pointer', 'size', 'pointer']],
  createSessionOptions: [10, ['pointer']],
  setSessionExecutionMode: [13, ['pointer', 'int']],
  enableProfiling: [14, ['pointer', 'path']],
  disableMemPattern: [17, ['pointer']],
  disableCpuMemArena: [19, ['pointer']],
  setSessionLogSeverityLevel: [22, ['pointer', 'int']],
  setSessionGraphOptimizationLevel: [23, ['pointer', 'int']],
  setIntraOpNumThreads: [24, ['pointer', 'int']],
  setInterOpNumThreads: [25, ['pointer', 'int']],
  sessionGetInputCount: [30, ['pointer', 'pointer']],
  sessionGetOutputCount: [31, ['pointer', 'pointer']],
  sessionGetInputTypeInfo: [33, ['pointer', 'size', 'pointer']],
  sessionGetOutputTypeInfo: [34, ['pointer', 'size', 'pointer']],
  sessionGetInputName: [36, ['pointer', 'size', 'pointer', 'pointer']],
  sessionGetOutputName: [37, ['pointer', 'size', 'pointer', 'pointer']],
  createTensorWithDataAsOrtValue: [49, ['pointer', 'pointer', 'size', 'pointer', 'size', 'int', 'pointer']],
  castTypeInfoToTensorInfo: [55, ['pointer', 'pointer']],
  getTensorElementType: [60, ['pointer', 'pointer']],
  getDimensionsCount: [61, ['pointer', 'pointer']],
  getDimensions: [62, ['pointer', 'pointer', 'size']],
  createCpuMemoryInfo: [69, ['int', 'int', 'pointer']],
  allocatorFree: [76, ['pointer', 'pointer']],
  getAllocatorWithDefaultOptions: [78, ['pointer']],
  releaseStatus: [93, ['pointer'], 'nothing'],
  releaseSession: [95, ['pointer'], 'nothing'],
  releaseValue: [96, ['pointer'], 'nothing'],
  releaseTypeInfo: [98, ['pointer'], 'nothing'],
  releaseSessionOptions: [100, ['pointer'], 'nothing'],
  getAvailableProviders: [125, ['pointer', 'pointer']],
  releaseAvailableProviders: [126, ['pointer', 'int']],
  addSessionConfigEntry: [130, ['pointer', 'text', 'text']],
  addInitializer: [150, ['pointer', 'text', 'pointer']],
  addExternalInitializers: [210, ['pointer', 'texts', 'pointer', 'size']],
} as const satisfies Record<string, Declaration>;

const API_VERSION = 20;
const EXPECTED_VERSION = /^1\.30\./;

/** An address, the memory of a typed array, or NULL. */
export type Pointer = bigint | NodeJS.TypedArray | null;

/** NULL when all went well, otherwise an `OrtStatus*`, which {@link check} turns into an error. */
export type Status = bigint | null;

interface Native {
  pointer: Pointer;
  status: Status;
  int: number;
  size: number;
  text: string;
  texts: readonly string[];
  path: string;
  nothing: undefined;
}

type Declaration = readonly [
  position: number,
  parameters: readonly (keyof Native)[],
  result?: 'status' | 'text' | 'nothing',
];

type Arguments<Parameters extends readonly (keyof Native)[]> = {
  -readonly [Index in keyof Parameters]: Native[Parameters[Index]];
};

type Result<D extends Declaration> = D extends readonly [number, unknown, infer R extends keyof Native]
  ? Native[R]
  : Status;

interface NativeFunction<D extends Declaration> {
  (...args: Arguments<D[1]>): Result<D>;
  /** On a thread of libuv's pool; the callback comes on the calling thread. */
  async(...args: [...Arguments<D[1]>, callback: (error: unknown, result: Result<D>) => void]): void;
}

type Functions = { readonly [Name in keyof typeof FUNCTIONS]: NativeFunction<(typeof FUNCTIONS)[Name]> };

const NATIVE_TYPES: Readonly<Record<keyof Native, string>> = {
  pointer: 'void*',
  status: 'void*',
  int: 'int',
  size: 'size_t',
  text: 'str',
  texts: 'str*',
  path: process.platform === 'win32' ? 'str16' : 'str',
  nothing: 'void',
};

export interface Api extends Functions {
  readonly version: string;
  readonly libraryPath: string;
  /** Never read, but held: the library is unloaded, under the feet of its threads, once its handle is collected. */
  readonly handle: unknown;
}

let loaded: Api | undefined;

/** ONNX Runtime's functions; the library is loaded at the first call. */
export function api(): Api {
  loaded ??= load(findLibrary());
  return loaded;
}

function load(libraryPath: string): Api {
  const handle = loadLibrary(libraryPath);
  const base = handle.func('OrtGetApiBase', 'void*', [])();
  const [getApi, getVersion] = koffi.decode(base, koffi.array('void*', 2));
  const version: string = koffi.call(getVersion, koffi.proto('str', []));
  if (!EXPECTED_VERSION.test(version)) {
    fail('engine', `${libraryPath} is ONNX Runtime ${version}, but its 1.30 is needed. Run "npm ci".`);
  }
  const table = koffi.call(getApi, koffi.proto('void*', ['uint32']), API_VERSION);
  return { ...bind(table), version, libraryPath, handle };
}

function bind(table: bigint): Functions {
  const declarations: [string, Declaration][] = Object.entries(FUNCTIONS);
  const size = Math.max(...declarations.map(([, [position]]) => position)) + 1;
  const addresses: bigint[] = koffi.decode(table, koffi.array('void*', size));
  const functions = declarations.map(([name, [position, parameters, result = 'status']]) => {
    const types = parameters.map((parameter) => NATIVE_TYPES[parameter]);
    return [name, koffi.decode(addresses[position], koffi.proto(NATIVE_TYPES[result], types))];
  });
  return Object.fromEntries(functions);
}

/** Throws the message of a status that is not NULL. `doing` completes "ONNX Runtime could not …". */
export function check(status: Status, doing: string): void {
  if (status === null) return;
  const { getErrorMessage, releaseStatus } = api();
  const message = getErrorMessage(status);
  releaseStatus(status);
  fail('engine', `ONNX Runtime could not ${doing}: ${message}`);
}

const out = new BigUint64Array(1);

/** What a function of the API writes through its last parameter: a handle, or a number of up to 64 bits. */
export function created(doing: string, call: (out: BigUint64Array) => Status): bigint {
  out[0] = 0n;
  check(call(out), doing);
  return out[0];
}

/** A NUL-terminated string at an address. */
export function readText(address: bigint): string {
  return koffi.decode.string(address);
}

/** Where the memory of a typed array lies. It stays there as long as the array lives. */
export function addressOf(array: NodeJS.TypedArray): bigint {
  return koffi.address(array);
}
