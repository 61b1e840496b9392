/** From graphs to ONNX models. Knows the file format and the operators, not the engine that runs them. */
export {
  type LoweredGraph,
  type LowerOptions,
  lower,
  lowerToNodes,
  type NamedType,
  type OnnxGraph,
  parameterName,
} from './lower.js';
export { encodeModel, encodeWithWeights, ONNX_DTYPE, type OnnxBranch, type OnnxModel, type OnnxNode } from './proto.js';
