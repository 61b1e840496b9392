import { fail } from '../errors.js';
import { encodeModel } from '../onnx/index.js';
import { Program } from './program.js';
import type { TensorSpec } from './signature.js';
import { Tensor } from './tensor.js';

/** Runs a matrix product whose answer is known, and says so; fails where the engine computes something else. */
export function selfCheck(): string {
  const matrix = (name: string): TensorSpec => ({ name, dtype: 'float32', shape: [2, 2] });
  const signature = { inputs: [matrix('a'), matrix('b')], outputs: [matrix('product')] };
  const nodes = [{ op: 'MatMul', inputs: ['a', 'b'], outputs: ['product'] }];
  const program = Program.create(encodeModel({ ...signature, nodes, initializers: [], opset: 20 }), signature, {
    name: 'self-check',
  });
  const a = Tensor.from(Float32Array.of(1, 2, 3, 4), [2, 2]);
  const b = Tensor.from(Float32Array.of(5, 6, 7, 8), [2, 2]);
  const { product } = program.runSync({ a, b });
  program.dispose();
  const answer = product!.data.join(' ');
  if (answer !== '19 22 43 50') fail('engine', `the product of two small matrices came out as ${answer}.`);
  return 'a matrix product is right';
}
