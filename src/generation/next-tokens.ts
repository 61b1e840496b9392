import { fail } from '../errors.js';
import type { History } from './history.js';
import type { GenerationOptions } from './options.js';
import {
  activeProcessors,
  applyProcessors,
  bannedTokens,
  forcedTokens,
  type Processor,
  processors,
} from './processors.js';
import { logSoftmax } from './reductions.js';
import type { StepDecoder } from './step-decoder.js';
import { topK } from './top-k.js';

/** The tokens that may come next in every row, with their processed scores: `[rows, count]`. */
export interface NextTokens {
  readonly count: number;
  /** Best first, ties by lower id. Undefined: `scores` holds the whole vocabulary in its order. */
  readonly ids: Int32Array | undefined;
  readonly scores: Float32Array;
}

type Ranked = NextTokens & { readonly ids: Int32Array };

/** Bans in a row up to which so many spare candidates are cheaper than all logits. */
const mostSpares = 64;

/**
 * Gets each step's scores as cheaply as they can be had exactly: none where tokens are forced; a few candidates where
 * processors at most ban tokens, with as many to spare as any row bans; all logits where scores are rescaled, or drawn
 * from rather than ranked.
 *
 * As in Transformers, beams are scored by log-probabilities that are processed afterwards, and normalised again only
 * where `renormalizeLogits` asks for it: then bans go into the graph. Without beams, processors see logits.
 */
export class NextTokenSource {
  private readonly active: readonly Processor[];
  private readonly needsAll: boolean;
  private readonly renormalizes: boolean;
  private readonly count: number;
  private readonly best: Ranked;
  private readonly tokens: Int32Array;
  /** By token: the number of the last row, counted over all steps, that banned it. */
  private readonly bannedIn: Int32Array;
  private rowsSeen = 0;

  /** @param count tokens that are wanted of each row, where they are ranked */
  constructor(
    private readonly decoder: StepDecoder,
    private readonly options: GenerationOptions,
    private readonly rows: number,
    count: number,
  ) {
    this.active = activeProcessors(options);
    this.renormalizes = processors.renormalizeLogits.isActive(options);
    this.needsAll = options.doSample || this.active.some(rescalesUnevenly);
    this.count = Math.min(count, decoder.vocabSize);
    this.best = {
      count: this.count,
      ids: new Int32Array(rows * this.count),
      scores: new Float32Array(rows * this.count),
    };
    this.tokens = new Int32Array(options.maxLength);
    this.bannedIn = new Int32Array(decoder.vocabSize);
  }

  /** The tokens to choose from behind `history`. The scores of rows that are not `open` mean nothing. */
  async after(history: History, open: (row: number) => boolean): Promise<NextTokens> {
    if (this.needsAll) return this.fromLogits(history, open);
    const forced = forcedTokens(this.active, this.context(history, 0));
    if (forced !== undefined) return this.onlyForced(forced);
    const banned: number[][] = [];
    if (this.active.some((processor) => 'bans' in processor)) {
      for (let row = 0; row < this.rows; row++) {
        banned.push(open(row) ? bannedTokens(this.active, this.context(history, row)) : []);
      }
    }
    if (this.renormalizes) {
      const isBanning = banned.some((ids) => ids.length > 0);
      return this.fromCandidates(history, open, this.count, isBanning ? banned : undefined);
    }
    const spares = banned.reduce((most, ids) => Math.max(most, ids.length), 0);
    if (spares > mostSpares || this.count + spares > this.decoder.vocabSize) return this.fromLogits(history, open);
    const best = await this.fromCandidates(history, open, this.count + spares);
    return spares === 0 ? best : this.withoutBanned(best, open, banned);
  }

  private async fromCandidates(
    history: History,
    open: (row: number) => boolean,
    count: number,
    banned?: readonly (readonly number[])[],
  ): Promise<Ranked> {
    const { ids, logProbs } = await this.decoder.candidates(count, banned);
    for (let row = 0; row < this.rows; row++) if (open(row)) checkScores(logProbs, row * count, 1, row, history);
    return { count, ids, scores: logProbs };
  }

  private withoutBanned(
    { count, ids, scores }: Ranked,
    open: (row: number) => boolean,
    banned: readonly (readonly number[])[],
  ): NextTokens {
    for (let row = 0; row < this.rows; row++) {
      if (!open(row)) continue;
      const mark = ++this.rowsSeen;
      for (const id of banned[row]!) this.bannedIn[id] = mark;
      const end = (row + 1) * this.count;
      for (let from = row * count, to = row * this.count; to < end; from++) {
        const id = ids[from]!;
        if (this.bannedIn[id] === mark) continue;
        this.best.ids[to] = id;
        this.best.scores[to++] = scores[from]!;
      }
    }
    return this.best;
  }

  private async fromLogits(history: History, open: (row: number) => boolean): Promise<NextTokens> {
    const { vocabSize } = this.decoder;
    const logits = await this.decoder.logits();
    for (let row = 0; row < this.rows; row++) {
      if (!open(row)) continue;
      const start = row * vocabSize;
      checkScores(logits, start, vocabSize, row, history);
      const scores = logits.subarray(start, start + vocabSize);
      if (this.options.numBeams > 1) logSoftmax(scores);
      applyProcessors(this.active, scores, this.context(history, row));
      if (!this.options.doSample) {
        topK(logits, start, vocabSize, this.count, this.best.ids, this.best.scores, row * this.count);
      }
    }
    return this.options.doSample ? { count: vocabSize, ids: undefined, scores: logits } : this.best;
  }

  private onlyForced(ids: readonly number[]): NextTokens {
    const size = this.rows * ids.length;
    return {
      count: ids.length,
      ids: Int32Array.from({ length: size }, (_, at) => ids[at % ids.length]!),
      // Chosen among themselves, tokens that are forced together are equally likely.
      scores: new Float32Array(size).fill(this.renormalizes ? -Math.log(ids.length) : 0),
    };
  }

  private context(history: History, row: number) {
    const tokens = this.tokens.subarray(0, history.length);
    history.read(row, history.length, tokens);
    return { options: this.options, tokens };
  }
}

/** Whether all scores are needed: normalisation alone can be left to the graph. */
function rescalesUnevenly(processor: Processor): boolean {
  return 'rescales' in processor && processor !== processors.renormalizeLogits;
}

function checkScores(scores: Float32Array, start: number, count: number, row: number, { length }: History): void {
  for (let at = start; at < start + count; at++) {
    const score = scores[at]!;
    if (score < Infinity) continue;
    fail(
      'generation',
      `the model's scores for token ${length} of row ${row} hold ${score}, which no token can be chosen by. ` +
        'Look for NaN or huge values in its weights.',
    );
  }
}
