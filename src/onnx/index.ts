/** From graphs to ONNX models. Knows the file format and the operators, not the engine that runs them. */
export { type LoweredGraph, type LowerOptions, lower, type NamedType, parameterName } from './lower.js';
export { encodeModel, ONNX_DTYPE, type OnnxModel } from './proto.js';
