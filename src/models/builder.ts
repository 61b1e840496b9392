import { fail } from '../errors.js';
import {
  type Blocks,
  type DType,
  dropout,
  gather,
  input,
  layerNorm,
  linear,
  parameter,
  type QuantizedMatrix,
  quantizedGather,
  quantizedLinear,
  type Shape,
  type Value,
  within,
} from '../graph/index.js';
import { blockShapes, QUANTIZED } from './blocks.js';

/** How a fresh weight is drawn. */
export type Initialization =
  | { readonly kind: 'zeros' }
  | { readonly kind: 'ones' }
  /** Normal with mean 0; `zeroRow` is the padding token's embedding, which learns nothing from being looked up. */
  | { readonly kind: 'normal'; readonly std: number; readonly zeroRow?: number }
  /** Row p, columns in pairs of a rate r = 10000^(−2k/width): sin(p·r) in the first half, cos(p·r) in the second. */
  | { readonly kind: 'sinusoidal' };

/** One array of a model, under the name it has in a Hugging Face checkpoint. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initialization: Initialization;
  /** Names under which checkpoints carry the same array. */
  readonly aliases?: readonly string[];
  /** Aliases under which the array is saved again, for readers that expect the copies. */
  readonly copies?: readonly string[];
  /** Kept with the model but not trained. */
  readonly buffer?: boolean;
  /** May be missing in a checkpoint. */
  readonly optional?: boolean;
}

/** A place in the model where elements are dropped in training; its mask is an input of the program. */
export interface DropoutSite {
  /** The name of the mask among the program's inputs. */
  readonly input: string;
  readonly shape: Shape;
  readonly rate: number;
}

/** How a weight matrix is kept in few bits: see {@link Blocks}. */
export type BlocksOf = (name: string) => Blocks | undefined;

interface BuilderState {
  readonly blocksOf: BlocksOf;
  /** Matrices that are multiplied by, or whose rows are looked up by token: those that may be kept in few bits. */
  readonly matrices: Set<string>;
  readonly parameters: ReadonlyMap<string, ParameterSpec>;
  readonly used: Map<string, Value>;
  readonly isZero: (name: string) => boolean;
  /** Present while building for training. */
  readonly dropoutSites: DropoutSite[] | undefined;
}

export interface BuilderOptions {
  parameters: Iterable<ParameterSpec>;
  /** True builds with dropout, whose masks become inputs. */
  training: boolean;
  /** Tells arrays that hold only zeros, so that terms with them can be left out. */
  isZero?: (name: string) => boolean;
  /** Tells matrices that are kept in few bits. */
  blocksOf?: BlocksOf;
}

/**
 * What a model author writes a forward pass with: layers by the names their weights have in the checkpoint.
 * `m.at('encoder.layers.0')` is the same builder with that prefix.
 */
export class Builder {
  readonly #state: BuilderState;
  readonly #prefix: string;

  private constructor(state: BuilderState, prefix: string) {
    this.#state = state;
    this.#prefix = prefix;
  }

  static create({ parameters, training, isZero = () => false, blocksOf = () => undefined }: BuilderOptions): Builder {
    const specs = new Map([...parameters].map((spec) => [spec.name, spec]));
    const state = { parameters: specs, used: new Map(), matrices: new Set<string>(), isZero, blocksOf };
    return new Builder({ ...state, dropoutSites: training ? [] : undefined }, '');
  }

  at(name: string): Builder {
    return new Builder(this.#state, this.#path(name));
  }

  /** Runs `build` with this part of the model named in errors. */
  within<T>(name: string, build: (m: Builder) => T): T {
    return within(name, () => build(this.at(name)));
  }

  /** All dropout sites of the graph built so far; none outside training. */
  get dropoutSites(): readonly DropoutSite[] {
    return this.#state.dropoutSites ?? [];
  }

  /** The names of all weights used so far. */
  get parameterNames(): string[] {
    return [...this.#state.used.keys()];
  }

  /** The matrices used so far that may be kept in few bits. */
  get matrixNames(): string[] {
    return [...this.#state.matrices];
  }

  /** The weights used so far that are to be trained. */
  get trainable(): Value[] {
    return [...this.#state.used]
      .filter(([name]) => !this.#state.parameters.get(name)!.buffer)
      .map(([, value]) => value);
  }

  parameter(name: string): Value {
    const path = this.#path(name);
    return this.#leaf(path, this.#shape(path));
  }

  /** Whether terms with this weight can be left out: it holds only zeros, and training will not change that. */
  isZero(name: string): boolean {
    const path = this.#path(name);
    const changes = this.#state.dropoutSites !== undefined && !this.#state.parameters.get(path)?.buffer;
    return !changes && this.#state.isZero(path);
  }

  /** x·Wᵀ + b */
  linear(x: Value, name: string): Value {
    const bias = this.#state.parameters.has(this.#path(`${name}.bias`)) ? this.parameter(`${name}.bias`) : undefined;
    return this.multiply(x, `${name}.weight`, bias);
  }

  /** x·Wᵀ + b, by the names of the weight alone. */
  multiply(x: Value, name: string, bias?: Value): Value {
    const matrix = this.#quantized(name, 'blocks');
    return matrix ? quantizedLinear(x, matrix, bias) : linear(x, this.parameter(name), bias);
  }

  /** The rows of a table of embeddings. */
  embed(name: string, ids: Value): Value {
    const matrix = this.#quantized(name, 'rows');
    return matrix ? quantizedGather(matrix, ids) : gather(this.parameter(name), ids);
  }

  layerNorm(x: Value, name: string, epsilon: number): Value {
    return layerNorm(x, this.parameter(`${name}.weight`), this.parameter(`${name}.bias`), epsilon);
  }

  /** Dropout at a named place: the identity outside training. */
  dropout(x: Value, rate: number, name: string): Value {
    const { dropoutSites } = this.#state;
    if (!dropoutSites || rate === 0) return x;
    const site = { input: `dropout:${this.#path(name)}`, shape: x.shape, rate };
    dropoutSites.push(site);
    return dropout(x, input(site.input, 'uint8', x.shape), rate);
  }

  /** A matrix in few bits, as products or as look-ups want to see it; undefined: it is kept as it is. */
  #quantized(name: string, form: keyof typeof QUANTIZED): QuantizedMatrix | undefined {
    const path = this.#path(name);
    this.#state.matrices.add(path);
    const blocks = this.#state.blocksOf(path);
    if (!blocks) return undefined;
    const shapes = blockShapes(this.#shape(path), blocks);
    return {
      blocks,
      values: this.#leaf(`${path}${QUANTIZED[form]}`, shapes[form], 'uint8'),
      scales: this.#leaf(`${path}${QUANTIZED.scales}`, shapes.scales),
    };
  }

  #shape(path: string): readonly number[] {
    return (this.#state.parameters.get(path) ?? fail('model', `there is no weight "${path}".`)).shape;
  }

  #leaf(name: string, shape: readonly number[], dtype: DType = 'float32'): Value {
    let value = this.#state.used.get(name);
    if (!value) {
      value = parameter(name, shape, dtype);
      this.#state.used.set(name, value);
    }
    return value;
  }

  #path(name: string): string {
    return this.#prefix === '' ? name : `${this.#prefix}.${name}`;
  }
}
