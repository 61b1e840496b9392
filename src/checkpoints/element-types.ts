/** How one element type is stored and how a run of its elements becomes float32. */
export interface ElementType {
  readonly bytes: number;
  /** Its name in a safetensors header. */
  readonly safetensors: string;
  /** The class of its torch storages, where torch.save has one. */
  readonly torchStorage?: string;
  /** Converts the first `into.length` elements of `stored`, little-endian as every supported platform. */
  toFloat32(stored: ArrayBuffer, into: Float32Array): void;
}

type NumericArray = new (buffer: ArrayBuffer, offset: number, length: number) => ArrayLike<number>;

/** Types that typed-array assignment rounds to float32 by itself. */
const numeric = (view: NumericArray) => (stored: ArrayBuffer, into: Float32Array) =>
  into.set(new view(stored, 0, into.length));

const bigInteger =
  (view: typeof BigInt64Array | typeof BigUint64Array) => (stored: ArrayBuffer, into: Float32Array) => {
    const values = new view(stored, 0, into.length);
    for (let i = 0; i < into.length; i++) into[i] = Number(values[i]);
  };

// 16-bit types are read two elements at a time, the first in the lower half, and written as patterns: twice as fast as one by
// one as numbers.

/** A bfloat16 is the upper half of the float32 with the same value. */
function fromBfloat16(stored: ArrayBuffer, into: Float32Array): void {
  const bits = new Int32Array(into.buffer, into.byteOffset, into.length);
  const pairs = new Int32Array(stored, 0, into.length >> 1);
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i]!;
    bits[2 * i] = pair << 16;
    bits[2 * i + 1] = pair & 0xffff0000;
  }
  if (bits.length % 2 === 1) bits[bits.length - 1] = new Uint16Array(stored)[bits.length - 1]! << 16;
}

let float16Patterns: Int32Array | undefined;

function fromFloat16(stored: ArrayBuffer, into: Float32Array): void {
  float16Patterns ??= new Int32Array(Float32Array.from({ length: 1 << 16 }, (_, half) => float16Value(half)).buffer);
  const patterns = float16Patterns;
  const bits = new Int32Array(into.buffer, into.byteOffset, into.length);
  const pairs = new Int32Array(stored, 0, into.length >> 1);
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i]!;
    bits[2 * i] = patterns[pair & 0xffff]!;
    bits[2 * i + 1] = patterns[pair >>> 16]!;
  }
  if (bits.length % 2 === 1) bits[bits.length - 1] = patterns[new Uint16Array(stored)[bits.length - 1]!]!;
}

/** IEEE 754 binary16: sign, 5 bits of exponent (bias 15), 10 bits of fraction. */
function float16Value(pattern: number): number {
  const sign = pattern & 0x8000 ? -1 : 1;
  const exponent = (pattern >> 10) & 0x1f;
  const fraction = (pattern & 0x3ff) / 1024;
  if (exponent === 0) return sign * fraction * 2 ** -14;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction) * 2 ** (exponent - 15);
}

export const elementTypes = {
  float32: { bytes: 4, safetensors: 'F32', torchStorage: 'FloatStorage', toFloat32: numeric(Float32Array) },
  float16: { bytes: 2, safetensors: 'F16', torchStorage: 'HalfStorage', toFloat32: fromFloat16 },
  bfloat16: { bytes: 2, safetensors: 'BF16', torchStorage: 'BFloat16Storage', toFloat32: fromBfloat16 },
  float64: { bytes: 8, safetensors: 'F64', torchStorage: 'DoubleStorage', toFloat32: numeric(Float64Array) },
  int64: { bytes: 8, safetensors: 'I64', torchStorage: 'LongStorage', toFloat32: bigInteger(BigInt64Array) },
  int32: { bytes: 4, safetensors: 'I32', torchStorage: 'IntStorage', toFloat32: numeric(Int32Array) },
  int16: { bytes: 2, safetensors: 'I16', torchStorage: 'ShortStorage', toFloat32: numeric(Int16Array) },
  int8: { bytes: 1, safetensors: 'I8', torchStorage: 'CharStorage', toFloat32: numeric(Int8Array) },
  uint8: { bytes: 1, safetensors: 'U8', torchStorage: 'ByteStorage', toFloat32: numeric(Uint8Array) },
  bool: { bytes: 1, safetensors: 'BOOL', torchStorage: 'BoolStorage', toFloat32: numeric(Uint8Array) },
  uint64: { bytes: 8, safetensors: 'U64', toFloat32: bigInteger(BigUint64Array) },
  uint32: { bytes: 4, safetensors: 'U32', toFloat32: numeric(Uint32Array) },
  uint16: { bytes: 2, safetensors: 'U16', toFloat32: numeric(Uint16Array) },
} as const satisfies Record<string, ElementType>;

export type ElementTypeName = keyof typeof elementTypes;

export const elementTypeNames = Object.keys(elementTypes) as ElementTypeName[];
