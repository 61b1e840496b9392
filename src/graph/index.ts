/** Symbolic graphs and their gradients. This room knows nothing of ONNX, engines or models. */
export * from './build.js';
export {
  type Dim,
  type DimSizes,
  evaluate,
  formatShape,
  isSymbol,
  product,
  type Shape,
  sum as sumDims,
  symbolsOf,
} from './dims.js';
export type { DType, DTypeArrays, TensorData } from './dtype.js';
export { gradient, type ParameterGradient, type RowGradient } from './gradient.js';
export {
  type Blocks,
  formatType,
  lastDim,
  type Node,
  type NodeOf,
  nodesOf,
  type OpAttributes,
  type OpName,
  type TensorType,
  type Value,
  within,
} from './node.js';
export { print } from './print.js';
export { broadcastShapes } from './types.js';
