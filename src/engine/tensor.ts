import { fail } from '../errors.js';
import { type DType, type DTypeArrays, formatShape, type TensorData } from '../graph/index.js';
import { ONNX_DTYPE } from '../onnx/index.js';
import { api, created } from './api.js';
import { environment } from './environment.js';

const ARRAYS = {
  float32: Float32Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const satisfies { [D in DType]: new (buffer: ArrayBuffer) => DTypeArrays[D] };

/** The element type an array holds when nothing else is said. */
const DEFAULT_DTYPES: Readonly<Record<string, DType>> = {
  Float32Array: 'float32',
  Int32Array: 'int32',
  BigInt64Array: 'int64',
  Uint8Array: 'uint8',
};

type DTypeOf<Data extends TensorData> = Data extends Float32Array
  ? 'float32'
  : Data extends Int32Array
    ? 'int32'
    : Data extends BigInt64Array
      ? 'int64'
      : 'uint8' | 'bool';

// What the engine's other files may do with a tensor, and its users may not; set below, where private fields are seen.
/** The tensor's `OrtValue*`, made at the first call. */
export let handleOf: (tensor: Tensor) => bigint;
/** Keeps the `OrtValue` through a `dispose()` until as many {@link giveBack}. */
export let retain: (tensor: Tensor) => void;
export let giveBack: (tensor: Tensor) => void;
/** Why a tensor cannot be used, if so: "was disposed". */
export let defectOf: (tensor: Tensor) => string | undefined;

/**
 * A typed array with a shape, row-major, which programs read and write in place: nothing is copied, and what a program
 * writes is there in `data` when its run has ended. Its memory may be shared (SharedArrayBuffer, shared WebAssembly
 * memory) and may be a part of a larger buffer. Do not transfer the buffer away while a run uses it.
 */
export class Tensor<D extends DType = DType> {
  readonly data: DTypeArrays[D];
  readonly shape: readonly number[];
  readonly dtype: D;
  /** Number of elements. */
  readonly length: number;
  #value = 0n;
  #uses = 0;
  #disposed = false;

  static {
    handleOf = (tensor) => {
      if (tensor.#value === 0n) {
        tensor.#value = createValue(tensor);
        values.register(tensor, tensor.#value, tensor);
      }
      return tensor.#value;
    };
    retain = (tensor) => {
      tensor.#uses++;
    };
    giveBack = (tensor) => {
      tensor.#uses--;
      tensor.#releaseIfDone();
    };
    defectOf = (tensor) => {
      if (tensor.#disposed) return 'was disposed';
      // Growing a WebAssembly memory or transferring a buffer leaves its arrays empty.
      if (tensor.data.length !== tensor.length) return 'lost its memory, whose buffer was transferred or resized';
      return undefined;
    };
  }

  private constructor(data: DTypeArrays[D], shape: readonly number[], dtype: D) {
    this.data = data;
    this.shape = Object.freeze([...shape]);
    this.dtype = dtype;
    this.length = data.length;
    // V8 keeps small arrays on its own heap, where they move, until their buffer is asked for.
    void data.buffer;
  }

  /** Takes `data` as it is; `dtype` is needed for booleans only, whose bytes (0 or 1) come in a `Uint8Array`. */
  static from<Data extends TensorData>(
    data: Data,
    shape: readonly number[],
    dtype?: DTypeOf<Data>,
  ): Tensor<DTypeOf<Data>>;
  static from(data: TensorData, shape: readonly number[], dtype?: DType): Tensor {
    const kind = ArrayBuffer.isView(data) ? data[Symbol.toStringTag] : typeof data;
    const type = dtype ?? DEFAULT_DTYPES[kind];
    if (type === undefined || !Object.hasOwn(ARRAYS, type) || ARRAYS[type].name !== kind) {
      fail(
        'engine',
        `a tensor${dtype === undefined ? '' : ` of ${dtype}`} cannot be made of: ${kind}. ${expectedArrays()}`,
      );
    }
    const length = elements(shape);
    if (data.length !== length) {
      fail('engine', `a tensor of shape ${formatShape(shape)} has ${length} elements, but ${data.length} were given.`);
    }
    return new Tensor(data, shape, type);
  }

  static zeros<D extends DType>(dtype: D, shape: readonly number[]): Tensor<D>;
  static zeros(dtype: DType, shape: readonly number[]): Tensor {
    if (!Object.hasOwn(ARRAYS, dtype)) fail('engine', `there are no tensors of ${dtype}. ${expectedArrays()}`);
    const bytes = elements(shape) * ARRAYS[dtype].BYTES_PER_ELEMENT;
    return new Tensor(new ARRAYS[dtype](allocate(bytes, shape)), shape, dtype);
  }

  /** True after {@link dispose}. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /** Frees the native handle, not `data`; runs under way end as they would. No run takes the tensor afterwards. */
  dispose(): void {
    this.#disposed = true;
    this.#releaseIfDone();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #releaseIfDone(): void {
    if (!this.#disposed || this.#uses > 0 || this.#value === 0n) return;
    values.unregister(this);
    api().releaseValue(this.#value);
    this.#value = 0n;
  }
}

/** Releases what was never disposed of. */
const values = new FinalizationRegistry<bigint>((value) => api().releaseValue(value));

function createValue({ data, shape, dtype }: Tensor): bigint {
  const { mainMemory } = environment();
  const dims = BigInt64Array.from(shape, BigInt);
  return created('make a tensor', (out) =>
    api().createTensorWithDataAsOrtValue(mainMemory, data, data.byteLength, dims, dims.length, ONNX_DTYPE[dtype], out),
  );
}

function elements(shape: readonly number[]): number {
  if (!Array.isArray(shape)) fail('engine', `a tensor's shape is an array of sizes, not ${String(shape)}.`);
  let length = 1;
  for (const dim of shape) {
    if (!Number.isSafeInteger(dim) || dim < 0) {
      fail('engine', `a tensor's sizes are integers from 0; its shape cannot be ${formatShape(shape)}.`);
    }
    length *= dim;
  }
  return length;
}

function allocate(bytes: number, shape: readonly number[]): ArrayBuffer {
  try {
    return new ArrayBuffer(bytes);
  } catch (error) {
    return fail('engine', `no memory for a tensor of shape ${formatShape(shape)}, ${bytes} bytes.`, error);
  }
}

function expectedArrays(): string {
  const pairs = Object.entries(ARRAYS).map(([dtype, array]) => `${dtype} in a ${array.name}`);
  return `Use ${pairs.join(', ')}.`;
}
