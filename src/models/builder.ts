import { fail } from '../errors.js';
import { dropout, input, layerNorm, linear, parameter, type Shape, type Value, within } from '../graph/index.js';

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

interface BuilderState {
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

  static create({ parameters, training, isZero = () => false }: BuilderOptions): Builder {
    const specs = new Map([...parameters].map((spec) => [spec.name, spec]));
    return new Builder({ parameters: specs, used: new Map(), isZero, dropoutSites: training ? [] : undefined }, '');
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

  /** The weights used so far that are to be trained. */
  get trainable(): Value[] {
    return [...this.#state.used]
      .filter(([name]) => !this.#state.parameters.get(name)!.buffer)
      .map(([, value]) => value);
  }

  parameter(name: string): Value {
    const path = this.#path(name);
    let value = this.#state.used.get(path);
    if (!value) {
      const spec = this.#state.parameters.get(path) ?? fail('model', `there is no weight "${path}".`);
      value = parameter(path, spec.shape);
      this.#state.used.set(path, value);
    }
    return value;
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
    return linear(x, this.parameter(`${name}.weight`), bias);
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

  #path(name: string): string {
    return this.#prefix === '' ? name : `${this.#prefix}.${name}`;
  }
}
