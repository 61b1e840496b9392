import { fail, nearest } from '../errors.js';
import { formatType, type Value } from '../graph/index.js';
import { lower, type NamedType } from '../onnx/index.js';
import { Program } from './program.js';
import type { ProgramOptions } from './session.js';
import type { Tensors } from './signature.js';
import { Tensor } from './tensor.js';

/**
 * The program that computes these values of a graph. With `constants`, the weights are bound once, which lets the engine
 * lay them out as it likes; without, they are inputs of every run, so that training can change them.
 */
export function compile(values: Readonly<Record<string, Value>>, options: ProgramOptions = {}): Program {
  const { model, inputs, outputs, constants } = lower(values, { constantParameters: options.constants !== undefined });
  if (options.constants) requireConstants(options.name ?? 'program', constants, options.constants);
  return Program.create(model, { inputs, outputs }, options);
}

function requireConstants(name: string, expected: readonly NamedType[], given: Tensors): void {
  for (const type of expected) {
    const tensor = given[type.name];
    if (!(tensor instanceof Tensor) || formatType(tensor) !== formatType(type)) {
      const found = tensor instanceof Tensor ? `is ${formatType(tensor)}` : 'was not given';
      fail('engine', `${name}: constant "${type.name}" ${found}. It must be ${formatType(type)}.`);
    }
  }
  const names = expected.map((type) => type.name);
  for (const unknown of Object.keys(given)) {
    if (names.includes(unknown)) continue;
    const meant = nearest(unknown, names);
    fail('engine', `${name}: the graph has no weight "${unknown}".${meant ? ` Did you mean "${meant}"?` : ''}`);
  }
}
