import { Tensor } from '../engine/index.js';
import { disposeAll, MASKED } from '../models/index.js';
import { allLogits, bestTokens } from './decoder-head.js';
import { EncodedSources } from './encoded-sources.js';
import type { GenerationPrograms } from './programs.js';
import { SlotCaches } from './slot-caches.js';
import type { BestTokens, StepDecoder } from './step-decoder.js';

/** Positions by which the self-attention caches grow, at least. */
const GROWTH = 8;

interface Slot {
  /** Positions that are written. */
  position: number;
  readonly sourceLength: number;
  /** [beams, maxLength] For each position the beam whose place a row's sequence went through. */
  ancestors: Uint16Array;
}

export interface DecoderShape {
  readonly beams: number;
  /** Items under way at once, at most. */
  readonly slots: number;
  /** Positions of an item, at most. */
  readonly positions: number;
  /** A token that the encoder's attention does not see in sources, and the decoder's does. */
  readonly hiddenId?: number | undefined;
}

/**
 * A model decoding sources, each in a slot of its own and at a position of its own. The self-attention caches hold a place
 * for every beam of every position; a place once written stays as it is. When beams branch, only the table of ancestors
 * changes: it names, for each position, the beam whose place this row's sequence went through, and the step's bias hides
 * all others.
 */
export class CachedDecoder implements StepDecoder {
  readonly vocabSize: number;
  readonly #programs: GenerationPrograms;
  readonly #shape: DecoderShape;
  readonly #sources: EncodedSources;
  readonly #self: SlotCaches;
  readonly #cross: SlotCaches;
  readonly #crossNames: readonly string[];
  readonly #slots: Slot[] = [];
  #sourceBias: Tensor | undefined;
  #hidden: Tensor | undefined;

  /** @param sources in the order in which they are started */
  constructor(programs: GenerationPrograms, sources: readonly Int32Array[], shape: DecoderShape) {
    const { architecture, cacheMemory } = programs;
    const { heads, headSize } = architecture.decoderAttention;
    const names = (side: string) =>
      ['keys', 'values'].flatMap((kind) =>
        Array.from({ length: architecture.layers }, (_, layer) => `${side}.${kind}.${layer}`),
      );
    this.vocabSize = architecture.vocabSize;
    this.#programs = programs;
    this.#shape = shape;
    this.#sources = new EncodedSources(programs, sources, shape.slots, shape.hiddenId);
    this.#crossNames = names('cross');
    const mostSlots = shape.slots;
    this.#self = new SlotCaches(names('self'), cacheMemory, { heads, width: shape.beams * headSize, mostSlots });
    this.#cross = new SlotCaches(this.#crossNames, cacheMemory, { heads, width: headSize, mostSlots });
  }

  async start(slot: number): Promise<void> {
    const { length, batch, batchLength, item } = await this.#sources.next();
    const ancestors = new Uint16Array(this.#shape.beams * this.#shape.positions);
    this.#slots[slot] = { position: 0, sourceLength: length, ancestors };
    this.#fitSources();
    this.#use();
    const encoded = this.#crossNames.map((name) => batch[name]!.data as Float32Array);
    this.#cross.write(slot, encoded, item, { length: batchLength, used: length });
  }

  drop(slot: number): void {
    const last = this.#slots.pop()!;
    if (slot < this.#slots.length) {
      this.#slots[slot] = last;
      for (const caches of [this.#self, this.#cross]) caches.move(this.#slots.length, slot);
    }
    this.#use();
    if (this.#slots.length > 0) this.#fitSources();
  }

  async advance(tokens: Int32Array, parents: Int32Array): Promise<void> {
    this.#fitPositions();
    this.#inherit(parents);
    const { beams } = this.#shape;
    const inputs = {
      'step.ids': Tensor.from(tokens, [tokens.length]),
      'step.positions': Tensor.from(
        Int32Array.from(tokens, (_, row) => this.#slots[Math.floor(row / beams)]!.position),
        [tokens.length],
      ),
      'step.bias': this.#bias(),
      'step.placeIndex': this.#placeIndex(),
    };
    const self = this.#self.tensors;
    const written = Object.fromEntries(Object.entries(self).map(([name, tensor]) => [`${name}.written`, tensor]));
    this.#sourceBias ??= this.#makeSourceBias();
    const results = await this.#programs.step.run(
      { ...inputs, ...self, ...this.#cross.tensors, 'source.bias': this.#sourceBias },
      written,
    );
    disposeAll(inputs);
    this.#hidden?.dispose();
    this.#hidden = results.hidden!;
    for (const slot of this.#slots) slot.position++;
  }

  async candidates(count: number, banned?: readonly (readonly number[])[]): Promise<BestTokens> {
    const program = this.#programs.best(count, { banning: banned !== undefined });
    return bestTokens(program, { hidden: this.hidden }, count, banned);
  }

  async logits(): Promise<Float32Array> {
    return allLogits(this.#programs.logits(), { hidden: this.hidden });
  }

  /** [rows, size]: what the last step ended with, before the vocabulary. */
  get hidden(): Tensor {
    return this.#hidden!;
  }

  dispose(): void {
    this.#sources.dispose();
    this.#self.dispose();
    this.#cross.dispose();
    this.#sourceBias?.dispose();
    this.#hidden?.dispose();
  }

  #use(): void {
    for (const caches of [this.#self, this.#cross]) caches.use(this.#slots.length);
    this.#sourceBias?.dispose();
    this.#sourceBias = undefined;
  }

  /** As many places as the longest source under way needs, or not many more. */
  #fitSources(): void {
    const longest = Math.max(...this.#slots.map(({ sourceLength }) => sourceLength));
    if (longest > this.#cross.places || longest < 0.8 * this.#cross.places) this.#cross.resize(longest);
  }

  /** Room for the next position of all, and not for many more. */
  #fitPositions(): void {
    const needed = 1 + Math.max(...this.#slots.map(({ position }) => position));
    const { places } = this.#self;
    if (needed <= places && (places <= 4 * GROWTH || needed > places / 2)) return;
    this.#self.resize(Math.min(this.#shape.positions, GROWTH * Math.ceil((1.25 * needed) / GROWTH)));
  }

  /** Every row takes over its parent's ancestors and adds itself for this position. */
  #inherit(parents: Int32Array): void {
    const { beams, positions } = this.#shape;
    if (beams === 1) return;
    for (const [index, slot] of this.#slots.entries()) {
      const { ancestors: before, position } = slot;
      const after = new Uint16Array(before.length);
      for (let beam = 0; beam < beams; beam++) {
        const parent = parents[index * beams + beam]! * positions;
        after.set(before.subarray(parent, parent + position), beam * positions);
        after[beam * positions + position] = beam;
      }
      slot.ancestors = after;
    }
  }

  /** [slots, 1, beams, places·beams]: 0 where a row's sequence went through, hidden elsewhere. */
  #bias(): Tensor {
    const { beams, positions } = this.#shape;
    const width = this.#self.places * beams;
    const bias = new Float32Array(this.#slots.length * beams * width).fill(MASKED);
    let row = 0;
    for (const { ancestors, position } of this.#slots) {
      for (let beam = 0; beam < beams; beam++, row++) {
        for (let earlier = 0; earlier <= position; earlier++) {
          bias[row * width + earlier * beams + ancestors[beam * positions + earlier]!] = 0;
        }
      }
    }
    return Tensor.from(bias, [this.#slots.length, 1, beams, width]);
  }

  /** [slots, heads, 3]: where in the caches this step's rows go. */
  #placeIndex(): Tensor {
    const { heads } = this.#programs.architecture.decoderAttention;
    const index = new BigInt64Array(this.#slots.length * heads * 3);
    // All entries are small and not negative: the low words suffice, and spare a BigInt for each.
    const words = new Int32Array(index.buffer);
    let word = 0;
    for (const [slot, { position }] of this.#slots.entries()) {
      for (let head = 0; head < heads; head++, word += 6) {
        words[word] = slot;
        words[word + 2] = head;
        words[word + 4] = position;
      }
    }
    return Tensor.from(index, [this.#slots.length, heads, 3]);
  }

  /** [slots, 1, 1, places]: hides what lies behind a source's end. */
  #makeSourceBias(): Tensor {
    const { places } = this.#cross;
    const bias = new Float32Array(this.#slots.length * places);
    for (const [slot, { sourceLength }] of this.#slots.entries()) {
      bias.fill(MASKED, slot * places + sourceLength, (slot + 1) * places);
    }
    return Tensor.from(bias, [this.#slots.length, 1, 1, places]);
  }
}
