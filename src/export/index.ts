/** Models as ONNX files that other programs run, with the names of Optimum and transformers.js. */
export { decoderModel } from './decoder.js';
export { encoderModel, type IsZero } from './encoder.js';
