/** The element types a graph can hold, and the typed array that carries each in memory. */
export interface DTypeArrays {
  float32: Float32Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

export type DType = keyof DTypeArrays;
export type TensorData = DTypeArrays[DType];
