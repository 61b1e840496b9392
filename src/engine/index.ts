/** Runs ONNX models in memory. The only room that knows ONNX Runtime and native calls. */
export { compile } from './compile.js';
export { physicalCores } from './cores.js';
export { describeEngine, type EngineDescription } from './describe.js';
export { preferHugePages } from './huge-pages.js';
export { Program } from './program.js';
export { selfCheck } from './self-check.js';
export type { ProgramOptions } from './session.js';
export type { ProgramSignature, TensorSpec, Tensors } from './signature.js';
export { Tensor } from './tensor.js';
