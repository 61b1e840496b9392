import { compile, type Program, type Tensor } from '../engine/index.js';
import { cast, input, logSoftmax, topK, type Value, writeRows } from '../graph/index.js';
import {
  Builder,
  cachedDecoderAttention,
  disposeAll,
  type ModelWeights,
  type Retrieval,
  ragAnswerScores,
  type Seq2SeqArchitecture,
  sourceInput,
  splitHeads,
  vocabularyLogits,
  weightTensor,
} from '../models/index.js';

import { CacheMemory } from './cache-memory.js';
import { type Marginal, marginalised, rowsOf } from './marginal.js';

/**
 * The programs that generation runs, compiled when first used: the encoder with the keys and values that all decoding steps
 * look at, one decoding step, and the vocabulary projection, either reduced to its best tokens or whole. Weights are
 * constants of these programs, rearranged for speed when they are made: after training, programs must be made anew.
 */
export class GenerationPrograms {
  /** Of a model that retrieves, its generator. */
  readonly architecture: Seq2SeqArchitecture;
  readonly cacheMemory = new CacheMemory();
  readonly #weights: ModelWeights;
  readonly #threads: number;
  #encoder: Program | undefined;
  #step: Program | undefined;
  #answerScores: Program | undefined;
  readonly #logits = new Map<string, Program>();
  readonly #best = new Map<string, { readonly program: Program; readonly count: number }>();
  readonly #constants = new Map<string, Tensor>();

  constructor(architecture: Seq2SeqArchitecture, weights: ModelWeights, threads: number) {
    this.architecture = architecture.retrieval?.generator ?? architecture;
    this.#weights = weights;
    this.#threads = threads;
  }

  /** Packed sources → `cross.keys.<layer>` and `cross.values.<layer>`, [batch, heads, sourceLength, size]. */
  get encoder(): Program {
    this.#encoder ??= this.#compile('encoder', (m) => {
      const source = sourceInput();
      const encoded = this.architecture.encoder(m, source);
      const { heads } = this.architecture.decoderAttention;
      const [rectangle] = source.layout.rectangles;
      const outputs: Record<string, Value> = {};
      for (let layer = 0; layer < this.architecture.layers; layer++) {
        const { k, v } = this.architecture.crossAttention(m, layer, encoded);
        outputs[`cross.keys.${layer}`] = splitHeads(k, heads, rectangle!);
        outputs[`cross.values.${layer}`] = splitHeads(v, heads, rectangle!);
      }
      return outputs;
    });
    return this.#encoder;
  }

  /** One token of every row → `hidden` [rows, size]; the caches are written in place. */
  get step(): Program {
    this.#step ??= this.#compile('decoding step', (m) => {
      const rows = (name: string) => input(`step.${name}`, 'int32', ['batch*beams']);
      const { attention, outputs } = cachedDecoderAttention(
        this.architecture.decoderAttention,
        this.architecture.decoderAttention.headSize,
      );
      const hidden = this.architecture.decoder(m, { ids: rows('ids'), positions: rows('positions'), attention });
      return { ...outputs, hidden };
    });
    return this.#step;
  }

  /** `hidden` → `logits` [rows, vocabulary]; of a marginal, the log-probabilities of its rows. */
  logits(marginal?: Marginal): Program {
    const key = keyOf(marginal);
    const program =
      this.#logits.get(key) ?? this.#compile('vocabulary logits', (m) => ({ logits: this.#project(m, marginal) }));
    this.#logits.set(key, program);
    return program;
  }

  /**
   * `hidden` → `ids` and `logProbs` [rows, at least count] of the best tokens, best first; `banning`, of those that
   * `banned.index` [bans, 2] leaves in each row.
   */
  best(count: number, { banning, marginal }: { readonly banning: boolean; readonly marginal?: Marginal }): Program {
    const key = `${banning} ${keyOf(marginal)}`;
    const existing = this.#best.get(key);
    if (existing && existing.count >= count) return existing.program;
    existing?.program.dispose();
    const program = this.#compile('best tokens', (m) => {
      const logits = this.#project(m, marginal);
      const index = input('banned.index', 'int64', ['bans', 2]);
      const allowed = banning ? writeRows(logits, index, input('banned.scores', 'float32', ['bans'])) : logits;
      const { values, indices } = topK(logSoftmax(allowed), count);
      return { ids: cast(indices, 'int32'), logProbs: values };
    });
    this.#best.set(key, { program, count });
    return program;
  }

  /** The negative log-likelihoods `each` of answers over documents: see `ragAnswerScores`. */
  answerScores(retrieval: Retrieval): Program {
    this.#answerScores ??= this.#compile('scores of answers', (m) => {
      const isQuantized = this.#weights.quantized.has(this.architecture.head.weight);
      return { each: ragAnswerScores(m, retrieval, { isQuantized }) };
    });
    return this.#answerScores;
  }

  dispose(): void {
    for (const { program } of this.#best.values()) program.dispose();
    this.#best.clear();
    for (const program of [this.#encoder, this.#step, this.#answerScores, ...this.#logits.values()]) program?.dispose();
    this.#logits.clear();
    this.cacheMemory.clear();
    disposeAll(Object.fromEntries(this.#constants));
    this.#constants.clear();
    this.#encoder = this.#step = this.#answerScores = undefined;
  }

  #project(m: Builder, marginal: Marginal | undefined): Value {
    const { shape } = this.#weights.specs.get(this.architecture.head.weight)!;
    const logits = vocabularyLogits(m, this.architecture, input('hidden', 'float32', [rowsOf(marginal), shape[1]!]));
    return marginal ? marginalised(logits, marginal) : logits;
  }

  #compile(name: string, build: (m: Builder) => Record<string, Value>): Program {
    const isZero = (parameter: string) => this.#weights.isZero(parameter);
    const blocksOf = (parameter: string) => this.#weights.quantized.get(parameter)?.blocks;
    const m = Builder.create({ parameters: this.architecture.parameters, training: false, isZero, blocksOf });
    const values = build(m);
    const constants = Object.fromEntries(m.parameterNames.map((weight) => [weight, this.#constant(weight)]));
    return compile(values, { name, threads: this.#threads, constants });
  }

  #constant(name: string): Tensor {
    let tensor = this.#constants.get(name);
    if (!tensor) {
      tensor = weightTensor(this.#weights, name);
      this.#constants.set(name, tensor);
    }
    return tensor;
  }
}

const keyOf = (marginal: Marginal | undefined) => (marginal ? `${marginal.documents} ${marginal.beams}` : '');
