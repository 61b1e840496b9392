import { fail, nearest } from '../errors.js';
import { type Dim, type DType, evaluate, formatShape, isSymbol, type Shape, symbolsOf } from '../graph/index.js';
import { defectOf, Tensor } from './tensor.js';

export interface TensorSpec {
  readonly name: string;
  readonly dtype: DType;
  /** Numbers, symbols, and expressions of the inputs' symbols. */
  readonly shape: Shape;
}

/** What goes into a program and what comes out. */
export interface ProgramSignature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

export type Tensors = Readonly<Record<string, Tensor>>;

/** A port's shape, ready to be checked: a size from 0, or `~i` for the i-th distinct symbol or expression. */
interface Port {
  readonly spec: TensorSpec;
  readonly dims: readonly number[];
}

const UNKNOWN = -1;

/**
 * Checks one program's tensors before each run, since a wrong length, type or shape would not raise an exception in the
 * library: it would read or overwrite memory that belongs to something else.
 */
export class SignatureCheck {
  readonly #program: string;
  readonly #inputs: readonly Port[];
  readonly #outputs: readonly Port[];
  /** The distinct symbols and expressions of all shapes; a run binds each to one size. */
  readonly #dims: string[] = [];
  readonly #expressions: readonly number[];

  constructor(program: string, { inputs, outputs }: ProgramSignature) {
    this.#program = program;
    this.#requireDistinctNames('input', inputs);
    this.#requireDistinctNames('output', outputs);
    this.#requireSeparateOutputs(inputs, outputs);
    this.#inputs = inputs.map((spec) => this.#port(spec));
    this.#outputs = outputs.map((spec) => this.#port(spec));
    this.#expressions = this.#dims.flatMap((dim, index) => (isSymbol(dim) ? [] : [index]));
    this.#requireKnownSymbols();
  }

  /** Checks that each input is there and fits; gives them in the signature's order, and the sizes they bind. */
  inputs(given: Tensors): { tensors: Tensor[]; sizes: readonly number[] } {
    this.#requireRecord('input', given);
    const sizes: number[] = new Array(this.#dims.length).fill(UNKNOWN);
    const tensors: Tensor[] = [];
    for (const { spec, dims } of this.#inputs) {
      const tensor = given[spec.name];
      this.#checkTensor('input', spec, tensor);
      for (let axis = 0; axis < dims.length; axis++) {
        const expected = dims[axis]!;
        const size = tensor.shape[axis]!;
        if (expected >= 0) {
          if (size !== expected) this.#failSize('input', spec, tensor, axis, expected);
        } else if (sizes[~expected] === UNKNOWN) {
          sizes[~expected] = size;
        } else if (sizes[~expected] !== size) {
          this.#failSymbol(spec, tensor, axis, given);
        }
      }
      tensors.push(tensor);
    }
    if (tensors.length !== Object.keys(given).length) this.#rejectUnknown('input', given, this.#inputs);
    if (this.#expressions.length > 0) this.#evaluateExpressions(sizes, given);
    return { tensors, sizes };
  }

  /** Checks the outputs that are given and makes the others; all in the signature's order. */
  outputs(given: Tensors, sizes: readonly number[]): Tensor[] {
    this.#requireRecord('output', given);
    let known = 0;
    const tensors = this.#outputs.map(({ spec, dims }) => {
      const tensor = given[spec.name];
      if (tensor === undefined) {
        return Tensor.zeros(
          spec.dtype,
          dims.map((dim) => (dim < 0 ? sizes[~dim]! : dim)),
        );
      }
      known++;
      this.#checkTensor('output', spec, tensor);
      for (let axis = 0; axis < dims.length; axis++) {
        const dim = dims[axis]!;
        const expected = dim < 0 ? sizes[~dim]! : dim;
        if (tensor.shape[axis] !== expected) this.#failSize('output', spec, tensor, axis, expected);
      }
      return tensor;
    });
    if (known !== Object.keys(given).length) this.#rejectUnknown('output', given, this.#outputs);
    if (known > 1 && new Set(tensors).size !== tensors.length) {
      this.#fail('the same tensor was given for two outputs. Give each its own.');
    }
    return tensors;
  }

  #port(spec: TensorSpec): Port {
    return { spec, dims: spec.shape.map((dim) => this.#index(spec, dim)) };
  }

  #index(spec: TensorSpec, dim: Dim): number {
    if (typeof dim === 'number') {
      if (Number.isSafeInteger(dim) && dim >= 0) return dim;
      this.#fail(`"${spec.name}" cannot have the shape ${formatShape(spec.shape)}: sizes are integers from 0.`);
    }
    const known = this.#dims.indexOf(dim);
    return ~(known < 0 ? this.#dims.push(dim) - 1 : known);
  }

  #requireDistinctNames(kind: string, specs: readonly TensorSpec[]): void {
    const names = new Set(specs.map(({ name }) => name));
    if (names.size === specs.length) return;
    const twice = specs.find(({ name }) => !names.delete(name));
    this.#fail(`two ${kind}s are called "${twice?.name}". Give each its own name.`);
  }

  /** ONNX Runtime would leave such an output as it was given, without a word. */
  #requireSeparateOutputs(inputs: readonly TensorSpec[], outputs: readonly TensorSpec[]): void {
    const both = outputs.find(({ name }) => inputs.some((input) => input.name === name));
    if (both) this.#fail(`"${both.name}" is an input and an output. Give the output a name of its own (Identity).`);
  }

  /** Every symbol must be the plain size of some input, or no run could tell what it is. */
  #requireKnownSymbols(): void {
    const bound = new Set(this.#inputs.flatMap(({ spec }) => spec.shape.filter(isSymbol)));
    for (const { spec } of [...this.#inputs, ...this.#outputs]) {
      for (const dim of spec.shape) {
        const symbol = symbolsOf(dim).find((each) => !bound.has(each));
        if (symbol === undefined) continue;
        this.#fail(
          `"${spec.name}" has the shape ${formatShape(spec.shape)}, but no input has "${symbol}" as a dimension ` +
            'of its own, which would tell its size. Add one.',
        );
      }
    }
  }

  #checkTensor(kind: 'input' | 'output', spec: TensorSpec, tensor: Tensor | undefined): asserts tensor is Tensor {
    if (!(tensor instanceof Tensor)) {
      const what = tensor === undefined ? 'was not given' : 'is not a Tensor';
      this.#fail(`${kind} "${spec.name}" ${what}. It takes ${describe(spec)}.`);
    }
    if (tensor.dtype !== spec.dtype || tensor.shape.length !== spec.shape.length) {
      this.#fail(`${kind} "${spec.name}" is ${describe(tensor)}, but must be ${describe(spec)}.`);
    }
    const defect = defectOf(tensor);
    if (defect !== undefined) this.#fail(`${kind} "${spec.name}", ${describe(tensor)}, ${defect}.`);
  }

  #requireRecord(kind: string, given: unknown): void {
    if (typeof given === 'object' && given !== null && !Array.isArray(given)) return;
    this.#fail(
      `the ${kind}s were ${given === null ? 'null' : `of type ${typeof given}`}. Give an object of tensors by name.`,
    );
  }

  #evaluateExpressions(sizes: number[], given: Tensors): void {
    const symbols = new Map(this.#dims.map((dim, index) => [dim, sizes[index]!]));
    for (const index of this.#expressions) {
      const dim = this.#dims[index]!;
      const size = evaluate(dim, symbols)!;
      if (sizes[index] !== UNKNOWN && sizes[index] !== size) this.#failExpression(dim, size, given);
      if (size < 0) this.#fail(`${dim} would be ${size}; a size cannot be negative.`);
      sizes[index] = size;
    }
  }

  #failSize(kind: string, spec: TensorSpec, tensor: Tensor, axis: number, expected: number): never {
    const dim = spec.shape[axis]!;
    const meaning = typeof dim === 'number' ? '' : ` (${dim})`;
    return this.#fail(
      `${kind} "${spec.name}" is ${describe(tensor)}; dimension ${axis}${meaning} must be ${expected}: ${describe(spec)}.`,
    );
  }

  #failSymbol(spec: TensorSpec, tensor: Tensor, axis: number, given: Tensors): never {
    const dim = spec.shape[axis]!;
    const first = this.#inputs.find((port) => port.spec.shape.includes(dim))!.spec;
    const other = given[first.name]!;
    return this.#fail(
      `input "${spec.name}" is ${describe(tensor)}, where ${dim} is ${tensor.shape[axis]}, but input "${first.name}" is ` +
        `${describe(other)}, where ${dim} is ${other.shape[first.shape.indexOf(dim)]}.`,
    );
  }

  #failExpression(dim: string, expected: number, given: Tensors): never {
    const { spec } = this.#inputs.find((port) => port.spec.shape.includes(dim))!;
    return this.#failSize('input', spec, given[spec.name]!, spec.shape.indexOf(dim), expected);
  }

  #rejectUnknown(kind: string, given: Tensors, ports: readonly Port[]): void {
    const names = ports.map(({ spec }) => spec.name);
    const unknown = Object.keys(given).find((name) => !names.includes(name));
    if (unknown === undefined) return; // an output given as undefined
    const meant = nearest(unknown, names);
    const hint = meant === undefined ? ` It has: ${names.join(', ')}.` : ` Did you mean "${meant}"?`;
    this.#fail(`there is no ${kind} "${unknown}".${hint}`);
  }

  #fail(message: string): never {
    return fail('engine', `${this.#program}: ${message}`);
  }
}

function describe({ dtype, shape }: { readonly dtype: DType; readonly shape: Shape }): string {
  return `${dtype} ${formatShape(shape)}`;
}
