import { Tensor } from '../engine/index.js';
import { disposeAll, feedTensors, MASKED, packSource } from '../models/index.js';
import type { GenerationPrograms } from './programs.js';
import type { BestTokens, StepDecoder } from './step-decoder.js';

/** Positions by which caches grow. */
const GROWTH = 8;

/**
 * A model decoding one batch of sources. The self-attention caches hold a slot for every beam of every position; a slot once
 * written stays where it is. When beams branch, only the table of ancestors changes: `#ancestors[row]` names, for each
 * position, the beam whose slot this row's sequence went through, and the step's bias hides all other slots.
 */
export class CachedDecoder implements StepDecoder {
  readonly vocabSize: number;
  readonly #programs: GenerationPrograms;
  readonly #batch: number;
  readonly #beams: number;
  readonly #cross: Record<string, Tensor>;
  /** The memory behind each cache; its beginning is the cache. */
  #memory: Record<string, Float32Array> = {};
  #caches: Record<string, Tensor> = {};
  #capacity = 0;
  #position = 0;
  /** [rows, capacity] */
  #ancestors = new Uint8Array(0);
  #hidden: Tensor | undefined;

  private constructor(programs: GenerationPrograms, batch: number, beams: number, cross: Record<string, Tensor>) {
    this.vocabSize = programs.architecture.vocabSize;
    this.#programs = programs;
    this.#batch = batch;
    this.#beams = beams;
    this.#cross = cross;
  }

  /** Runs the encoder over the sources. */
  static async create(
    programs: GenerationPrograms,
    sources: readonly Int32Array[],
    beams: number,
  ): Promise<CachedDecoder> {
    const fed = feedTensors(packSource([sources], programs.architecture.sourcePositions));
    const cross = await programs.encoder.run(fed);
    const { 'source.bias': bias, ...rest } = fed;
    disposeAll(rest);
    return new CachedDecoder(programs, sources.length, beams, { ...cross, 'source.bias': bias! });
  }

  async advance(tokens: Int32Array, parents: Int32Array): Promise<void> {
    const position = this.#position++;
    if (position >= this.#capacity) this.#grow();
    this.#inherit(parents, position);
    const inputs = {
      'step.ids': Tensor.from(tokens, [tokens.length]),
      'step.positions': Tensor.from(new Int32Array(tokens.length).fill(position), [tokens.length]),
      'step.bias': this.#bias(position),
      'step.placeIndex': this.#placeIndex(position),
    };
    const written = Object.fromEntries(
      Object.entries(this.#caches).map(([name, tensor]) => [`${name}.written`, tensor]),
    );
    const results = await this.#programs.step.run({ ...inputs, ...this.#cross, ...this.#caches }, written);
    disposeAll(inputs);
    this.#hidden?.dispose();
    this.#hidden = results.hidden!;
  }

  async candidates(count: number, banned?: readonly (readonly number[])[]): Promise<BestTokens> {
    const bans: Record<string, Tensor> = banned ? banTensors(banned) : {};
    const program = this.#programs.best(count, { banning: banned !== undefined });
    const results = await program.run({ hidden: this.#hidden!, ...bans });
    disposeAll(bans);
    const [ids, logProbs] = [results.ids!.data as Int32Array, results.logProbs!.data as Float32Array];
    const width = results.ids!.shape[1]!;
    disposeAll(results);
    if (width === count) return { ids, logProbs };
    const rows = ids.length / width;
    const best = { ids: new Int32Array(rows * count), logProbs: new Float32Array(rows * count) };
    for (let row = 0; row < rows; row++) {
      best.ids.set(ids.subarray(row * width, row * width + count), row * count);
      best.logProbs.set(logProbs.subarray(row * width, row * width + count), row * count);
    }
    return best;
  }

  async logits(): Promise<Float32Array> {
    const results = await this.#programs.logits.run({ hidden: this.#hidden! });
    const logits = results.logits!.data as Float32Array;
    disposeAll(results);
    return logits;
  }

  dispose(): void {
    disposeAll(this.#cross, this.#caches);
    for (const array of Object.values(this.#memory)) this.#programs.cacheMemory.giveBack(array);
    this.#hidden?.dispose();
  }

  /** Makes room for more positions, keeping what is written. */
  #grow(): void {
    const { layers, decoderAttention } = this.#programs.architecture;
    const { heads, headSize } = decoderAttention;
    const earlier = this.#capacity;
    const capacity = earlier + GROWTH * Math.ceil(Math.max(1, earlier / 4 / GROWTH));
    const blocks = this.#batch * heads;
    const blockSize = (positions: number) => positions * this.#beams * headSize;
    const names = ['self.keys', 'self.values'].flatMap((kind) =>
      Array.from({ length: layers }, (_, layer) => `${kind}.${layer}`),
    );
    disposeAll(this.#caches);
    for (const name of names) {
      const old = this.#memory[name];
      const memory = this.#programs.cacheMemory.take(blocks * blockSize(capacity));
      const data = memory.subarray(0, blocks * blockSize(capacity));
      if (old) {
        for (let block = 0; block < blocks; block++) {
          const from = block * blockSize(earlier);
          data.set(old.subarray(from, from + blockSize(earlier)), block * blockSize(capacity));
        }
        this.#programs.cacheMemory.giveBack(old);
      }
      this.#memory[name] = memory;
      this.#caches[name] = Tensor.from(data, [this.#batch, heads, capacity, this.#beams * headSize]);
    }
    const ancestors = new Uint8Array(this.#batch * this.#beams * capacity);
    for (let row = 0; row < this.#batch * this.#beams; row++) {
      ancestors.set(this.#ancestors.subarray(row * earlier, (row + 1) * earlier), row * capacity);
    }
    this.#ancestors = ancestors;
    this.#capacity = capacity;
  }

  /** Every row takes over its parent's ancestors and adds itself for this position. */
  #inherit(parents: Int32Array, position: number): void {
    const capacity = this.#capacity;
    const before = this.#ancestors;
    const after = new Uint8Array(before.length);
    for (let row = 0; row < parents.length; row++) {
      const parent = parents[row]!;
      after.set(before.subarray(parent * capacity, parent * capacity + position), row * capacity);
      after[row * capacity + position] = row % this.#beams;
    }
    this.#ancestors = after;
  }

  /** [batch, 1, beams, slots]: 0 where a row's sequence went through, hidden elsewhere. */
  #bias(position: number): Tensor {
    const [beams, capacity] = [this.#beams, this.#capacity];
    const slots = capacity * beams;
    const rows = this.#batch * beams;
    const bias = new Float32Array(rows * slots).fill(MASKED);
    for (let row = 0; row < rows; row++) {
      for (let earlier = 0; earlier <= position; earlier++) {
        bias[row * slots + earlier * beams + this.#ancestors[row * capacity + earlier]!] = 0;
      }
    }
    return Tensor.from(bias, [this.#batch, 1, beams, slots]);
  }

  /** [batch, heads, 3]: where in the caches this step's rows go. */
  #placeIndex(position: number): Tensor {
    const { heads } = this.#programs.architecture.decoderAttention;
    const index = new BigInt64Array(this.#batch * heads * 3);
    // All entries are small and not negative: the low words suffice, and spare a BigInt for each.
    const words = new Int32Array(index.buffer);
    let word = 0;
    for (let item = 0; item < this.#batch; item++) {
      for (let head = 0; head < heads; head++, word += 6) {
        words[word] = item;
        words[word + 2] = head;
        words[word + 4] = position;
      }
    }
    return Tensor.from(index, [this.#batch, heads, 3]);
  }
}

/** `banned.index` [bans, 2], a row and an id each, and the score that all get. */
function banTensors(banned: readonly (readonly number[])[]): Record<string, Tensor> {
  const pairs = banned.flatMap((ids, row) => ids.flatMap((id) => [BigInt(row), BigInt(id)]));
  const count = pairs.length / 2;
  return {
    'banned.index': Tensor.from(BigInt64Array.from(pairs), [count, 2]),
    'banned.scores': Tensor.from(new Float32Array(count).fill(-Infinity), [count]),
  };
}
