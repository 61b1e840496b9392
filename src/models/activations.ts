import { fail, nearest } from '../errors.js';
import { add, erf, gelu, multiply, relu, sigmoid, silu, tanh, type Value } from '../graph/index.js';

/** x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))) */
const geluTanh = (x: Value) => {
  const inner = multiply(x, add(1, multiply(multiply(x, x), 0.044715)));
  return multiply(multiply(x, 0.5), add(1, tanh(multiply(inner, Math.sqrt(2 / Math.PI)))));
};

/** The activation functions by their names in `config.json` (Transformers' `ACT2FN`). */
const activations: Readonly<Record<string, (x: Value) => Value>> = {
  gelu,
  gelu_python: (x) => multiply(multiply(x, 0.5), add(1, erf(multiply(x, Math.SQRT1_2)))),
  gelu_new: geluTanh,
  gelu_fast: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  quick_gelu: (x) => multiply(x, sigmoid(multiply(x, 1.702))),
  relu,
  relu2: (x) => {
    const y = relu(x);
    return multiply(y, y);
  },
  silu,
  swish: silu,
  tanh,
  sigmoid,
  linear: (x) => x,
};

/** @param field where config.json names it, for errors */
export function activation(name: string, field = 'activation_function'): (x: Value) => Value {
  return (
    activations[name] ??
    fail(
      'config.json',
      `${field} "${name}" is unknown. Did you mean "${nearest(name, Object.keys(activations)) ?? 'gelu'}"?`,
    )
  );
}
