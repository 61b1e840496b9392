import { fail } from '../errors.js';
import { type ElementTypeName, elementTypes } from './element-types.js';
import type { InputFile } from './input-file.js';

/** One named tensor of a checkpoint. Nothing of it is in memory before it is read. */
export interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: ElementTypeName;
  /** Reads the elements in row-major order, converted to float32, into a buffer of exactly their number. */
  read(into: Float32Array): void;
  /** Reads the elements of a uint8 tensor as they are. */
  readBytes(into: Uint8Array): void;
}

/** Where a tensor lies in a file: `strides` in elements, from the byte `position` of its first element. */
export interface Placement {
  readonly file: InputFile;
  readonly position: number;
  readonly strides: readonly number[];
}

/** Elements read at a time from a contiguous tensor; of those to be converted, few enough to stay in the processor's cache. */
const pieceLength = 1 << 20;
const convertedLength = 1 << 16;
/** Elements kept at a time from a strided tensor; small, since a stride may skip most of them. */
const windowLength = 1 << 14;

let buffer: ArrayBuffer | undefined;

/** For stored elements of at most 8 bytes; one for all, since fresh memory costs as much as reading into it. */
function conversionBuffer(): ArrayBuffer {
  buffer ??= new ArrayBuffer(8 * convertedLength);
  return buffer;
}

export class StoredWeight implements Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: ElementTypeName;
  readonly #placement: Placement;

  constructor(name: string, shape: readonly number[], dtype: ElementTypeName, placement: Placement) {
    this.name = name;
    this.shape = shape;
    this.dtype = dtype;
    this.#placement = placement;
  }

  read(into: Float32Array): void {
    const size = sizeOf(this.shape);
    if (into.length !== size) {
      fail(
        'checkpoint',
        `the weight ${this.name} has ${size} elements ([${this.shape.join(', ')}]), the buffer takes ${into.length}. ` +
          'Give a buffer of its size.',
      );
    }
    if (size === 0) return;
    if (isContiguous(this.shape, this.#placement.strides)) this.#readRun(0, into);
    else this.#readStrided(into);
  }

  readBytes(into: Uint8Array): void {
    const size = sizeOf(this.shape);
    if (this.dtype !== 'uint8' || into.length !== size || !isContiguous(this.shape, this.#placement.strides)) {
      fail(
        'checkpoint',
        `the weight ${this.name} is not ${into.length} bytes, but ${size} numbers of type ${this.dtype}.`,
      );
    }
    this.#placement.file.read(this.#placement.position, into);
  }

  /** Consecutive stored elements, from `first` on. */
  #readRun(first: number, into: Float32Array): void {
    const { file, position } = this.#placement;
    const { bytes, toFloat32 } = elementTypes[this.dtype];
    const stored = this.dtype === 'float32' ? undefined : conversionBuffer();
    const length = stored ? convertedLength : pieceLength;
    for (let start = 0; start < into.length; start += length) {
      const piece = into.subarray(start, start + length);
      const place = position + (first + start) * bytes;
      if (stored) {
        file.read(place, new Uint8Array(stored, 0, piece.length * bytes));
        toFloat32(stored, piece);
      } else {
        file.read(place, piece);
      }
    }
  }

  /**
   * Visits the elements in the order of the storage, the axis with the largest stride outermost, so that the file is read
   * forwards through a small window, and puts each at its row-major place.
   */
  #readStrided(into: Float32Array): void {
    const { strides } = this.#placement;
    const steps = contiguousStrides(this.shape);
    const axes = this.shape
      .map((size, axis) => ({ size, stride: strides[axis]!, step: steps[axis]! }))
      .sort((a, b) => b.stride - a.stride);
    const span = spanOf(this.shape, strides);
    const buffer = new Float32Array(Math.min(windowLength, span));
    let window = buffer.subarray(0, 0);
    let windowStart = 0;

    const visit = (depth: number, firstSource: number, firstTarget: number): void => {
      const { size, stride, step } = axes[depth]!;
      for (let i = 0, source = firstSource, target = firstTarget; i < size; i++, source += stride, target += step) {
        if (depth < axes.length - 1) {
          visit(depth + 1, source, target);
          continue;
        }
        if (source < windowStart || source >= windowStart + window.length) {
          window = buffer.subarray(0, span - source);
          windowStart = source;
          this.#readRun(source, window);
        }
        into[target] = window[source - windowStart]!;
      }
    };
    visit(0, 0, 0);
  }
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, dim) => size * dim, 1);
}

/** The number of elements from a strided tensor's first to its last. */
export function spanOf(shape: readonly number[], strides: readonly number[]): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((span, size, axis) => span + (size - 1) * strides[axis]!, 1);
}

export function contiguousStrides(shape: readonly number[]): number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  const contiguous = contiguousStrides(shape);
  return shape.every((size, axis) => size === 1 || strides[axis] === contiguous[axis]);
}

/** As many as torch allows. */
const mostAxes = 64;

/** True for a list of whole, non-negative numbers, as shapes, strides and offsets must be. */
export function isNaturals(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= mostAxes && value.every(isNatural);
}

export function isNatural(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
