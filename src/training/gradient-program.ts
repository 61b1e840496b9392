import { compile, type Program, Tensor } from '../engine/index.js';
import { add, gradient, input, type Value } from '../graph/index.js';
import type { KernelPool } from '../kernels/index.js';
import {
  type DropoutSite,
  disposeAll,
  feedTensors,
  lossGraph,
  type ModelWeights,
  PLANES,
  resolveShape,
  type Seq2SeqArchitecture,
  weightInputs,
  weightRowsTensor,
} from '../models/index.js';
import type { Batch } from './batch.js';
import { DropoutMasks } from './dropout-masks.js';

/** Output pairs that are added row by row into a weight's gradient: what embeddings leave. */
interface RowOutputs {
  readonly parameter: string;
  readonly ids: string;
  readonly rows: string;
  /** Whether a dense gradient is written first; otherwise the rows are all there is. */
  readonly afterDense: boolean;
}

/** The graph of one training step: its outputs by name, and how they make up the gradients. */
interface GradientGraph {
  readonly outputs: Readonly<Record<string, Value>>;
  readonly rowOutputs: readonly RowOutputs[];
  /** Rows of weights written directly by the program: output name → weight and its rows. */
  readonly pieces: ReadonlyMap<string, { readonly parameter: string; readonly start: number; readonly count: number }>;
  readonly dropoutSites: readonly DropoutSite[];
  readonly trainable: readonly string[];
}

const accumulatedName = (output: string) => `earlier:${output}`;

/** Programs differ in whether gradients are added to those there, and in the rectangles of attention. */
interface Variant {
  readonly accumulate: boolean;
  readonly groups: number;
}

/** What is trained, and on which loss. */
export interface Objective {
  /** Weights it does not name are frozen: their gradients are not computed. */
  readonly isTrained?: ((name: string) => boolean) | undefined;
  readonly labelSmoothing?: number | undefined;
}

function buildGraph(
  architecture: Seq2SeqArchitecture,
  weights: ModelWeights,
  { isTrained = () => true, labelSmoothing }: Objective,
  { accumulate, groups }: Variant,
): GradientGraph {
  const isZero = (name: string) => weights.isZero(name);
  const graph = lossGraph(architecture, { training: true, labelSmoothing, groups, isZero });
  const trained = graph.trainable.filter(({ node }) => node.op === 'parameter' && isTrained(node.attributes.name));
  const outputs: Record<string, Value> = { loss: graph.loss };
  const rowOutputs: RowOutputs[] = [];
  const pieces = new Map<string, { parameter: string; start: number; count: number }>();
  for (const [parameter, parts] of gradient(graph.loss, trained)) {
    for (const { start, count, value } of parts.pieces) {
      const name = `gradient:${parameter}[${start}:${start + count}]`;
      outputs[name] = accumulate ? add(value, input(accumulatedName(name), 'float32', value.shape)) : value;
      pieces.set(name, { parameter, start, count });
    }
    for (const [i, { ids, rows }] of parts.rows.entries()) {
      const names = { ids: `ids:${parameter}:${i}`, rows: `rows:${parameter}:${i}` };
      outputs[names.ids] = ids;
      outputs[names.rows] = rows;
      rowOutputs.push({ parameter, ...names, afterDense: parts.pieces.length > 0 });
    }
  }
  const trainable = trained.map(({ node }) => (node.op === 'parameter' ? node.attributes.name : ''));
  return { outputs, rowOutputs, pieces, dropoutSites: graph.dropoutSites, trainable };
}

/** A compiled graph with the tensors that stay the same from step to step. */
interface Compiled {
  readonly graph: GradientGraph;
  readonly program: Program;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/** Computes the loss of a batch, and the gradients into the weights' gradient plane. */
export class GradientProgram {
  readonly #architecture: Seq2SeqArchitecture;
  readonly #weights: ModelWeights;
  readonly #masks: DropoutMasks;
  readonly #threads: number;
  readonly #objective: Objective;
  /** Rows that this step's gradients were added to, where these are all there is of a weight's gradient. */
  readonly #touched = new Map<string, Int32Array[]>();
  readonly #compiled = new Map<string, Compiled>();

  constructor(
    architecture: Seq2SeqArchitecture,
    weights: ModelWeights,
    options: { seed: number; threads: number; pool: KernelPool } & Objective,
  ) {
    this.#architecture = architecture;
    this.#weights = weights;
    this.#threads = options.threads;
    this.#objective = options;
    this.#masks = new DropoutMasks(options.seed, options.pool);
    weights.prepareTraining();
  }

  /** The names of the weights that get a gradient. */
  get trainable(): readonly string[] {
    return this.#get({ accumulate: false, groups: 1 }).graph.trainable;
  }

  /**
   * @param draw numbers the batches of a run: dropout is a function of it
   * @param accumulate adds to the gradients there instead of replacing them
   * @returns the batch's loss
   */
  async run(batch: Batch, draw: number, accumulate: boolean): Promise<number> {
    const { graph, program, inputs, outputs } = this.#get({ accumulate, groups: batch.groups });
    const fed = feedTensors(batch.feeds, program);
    const masks = await this.#drawMasks(draw, graph.dropoutSites, batch);
    const results = await program.run({ ...inputs, ...fed, ...masks }, outputs);
    disposeAll(fed, masks);

    const cleared = new Set<string>();
    const touched: [parameter: string, ids: Int32Array][] = [];
    for (const { parameter, ids, rows, afterDense } of graph.rowOutputs) {
      const target = this.#weights.planes.array(parameter, PLANES.gradients);
      if (!accumulate && !afterDense && !cleared.has(parameter)) this.#clearRows(parameter, target);
      cleared.add(parameter);
      const { initialization } = this.#weights.specs.get(parameter)!;
      const padding = initialization.kind === 'normal' ? initialization.zeroRow : undefined;
      const named = results[ids]!.data as Int32Array;
      addRows(target, named, results[rows]!.data as Float32Array, padding);
      if (!afterDense) touched.push([parameter, named.slice()]);
    }
    for (const [parameter, ids] of touched) this.#touched.get(parameter)!.push(ids);
    const loss = (results.loss!.data as Float32Array)[0]!;
    for (const [name, tensor] of Object.entries(results)) if (!(name in outputs)) tensor.dispose();
    return loss;
  }

  /** Makes a gradient zero that rows are all there is of: after the first time in the rows that were added to alone. */
  #clearRows(parameter: string, gradient: Float32Array): void {
    const before = this.#touched.get(parameter);
    const width = gradient.length / this.#weights.specs.get(parameter)!.shape[0]!;
    if (!before) gradient.fill(0);
    else for (const ids of before) for (const id of ids) gradient.fill(0, id * width, (id + 1) * width);
    this.#touched.set(parameter, []);
  }

  dispose(): void {
    for (const { program, inputs, outputs } of this.#compiled.values()) {
      program.dispose();
      disposeAll(inputs, outputs);
    }
    this.#compiled.clear();
    this.#masks.dispose();
  }

  #get(variant: Variant): Compiled {
    const key = `${variant.accumulate} ${variant.groups}`;
    const compiled = this.#compiled.get(key) ?? this.#compile(variant);
    this.#compiled.set(key, compiled);
    return compiled;
  }

  #compile(variant: Variant): Compiled {
    const graph = buildGraph(this.#architecture, this.#weights, this.#objective, variant);
    const program = compile(graph.outputs, { name: 'training step', threads: this.#threads });
    const inputs = weightInputs(program, this.#weights);
    const outputs: Record<string, Tensor> = {};
    for (const [name, { parameter, start, count }] of graph.pieces) {
      const tensor = weightRowsTensor(this.#weights, parameter, PLANES.gradients, start, count);
      outputs[name] = tensor;
      if (variant.accumulate) inputs[accumulatedName(name)] = tensor;
    }
    return { graph, program, inputs, outputs };
  }

  async #drawMasks(draw: number, sites: readonly DropoutSite[], batch: Batch): Promise<Record<string, Tensor>> {
    const shapes = sites.map(({ shape }) => resolveShape(shape, batch.sizes));
    const requests = sites.map(({ rate }, i) => ({ rate, length: shapes[i]!.reduce((a, b) => a * b, 1) }));
    const masks = await this.#masks.draw(draw, requests);
    return Object.fromEntries(sites.map((site, i) => [site.input, Tensor.from(masks[i]!, shapes[i]!, 'uint8')]));
  }
}

/** target[id] += row, for each of the ids but `padding`; ids may repeat. */
function addRows(target: Float32Array, ids: Int32Array, rows: Float32Array, padding: number | undefined): void {
  const width = rows.length / ids.length;
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] === padding) continue;
    const [start, from] = [ids[i]! * width, i * width];
    for (let j = 0; j < width; j++) target[start + j] = target[start + j]! + rows[from + j]!;
  }
}
