import { fail } from '../errors.js';
import type { GenerationOptions } from './options.js';
import {
  activeProcessors,
  applyProcessors,
  bannedTokens,
  forcedTokens,
  type Processor,
  processors,
} from './processors.js';
import { logSoftmax, logSumExp } from './reductions.js';
import type { StepDecoder } from './step-decoder.js';
import { topK } from './top-k.js';

/** In the place of an id: the row has no more tokens to choose from. */
export const NO_TOKEN = -1;

/** The tokens that may come next in every row, with their processed scores: `[rows, count]`. */
export interface NextTokens {
  readonly count: number;
  /** Best first, ties by lower id. Undefined: `scores` holds the whole vocabulary in its order. */
  readonly ids: Int32Array | undefined;
  readonly scores: Float32Array;
  /** For each row what makes log-probabilities of its scores when taken off; only where token scores are asked for. */
  readonly normalizers: Float64Array | undefined;
  /**
   * With groups of beams, to be called before a row's tokens are looked at: takes the penalty for the tokens that earlier
   * groups chose in this step, which comes before all other rules.
   */
  readonly diversify?: (row: number, chosen: Int32Array) => void;
}

/** The sequences that wait for their next tokens, row by row. */
export interface WaitingRows {
  readonly count: number;
  /** Whether the row still goes on; what others get means nothing. */
  isOpen(row: number): boolean;
  /** Its tokens so far; the array is used again by the next call. */
  tokensOf(row: number): Int32Array;
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
  readonly #decoder: StepDecoder;
  readonly #options: GenerationOptions;
  readonly #active: readonly Processor[];
  readonly #forces: boolean;
  readonly #bans: boolean;
  readonly #needsAll: boolean;
  /** Whether scores are log-probabilities among the tokens that are left. */
  readonly #renormalizes: boolean;
  readonly #isScoring: boolean;
  readonly #count: number;
  /** By token: the number of the last row, counted over all steps, that banned it. */
  readonly #bannedIn: Int32Array;
  #rowsSeen = 0;
  #ids = new Int32Array(0);
  #scores = new Float32Array(0);

  /**
   * @param count tokens that are wanted of each row, where they are ranked
   * @param isScoring whether each token's log-probability is asked for, which without beams costs more
   */
  constructor(decoder: StepDecoder, options: GenerationOptions, count: number, isScoring: boolean) {
    this.#decoder = decoder;
    this.#options = options;
    this.#active = activeProcessors(options);
    this.#forces = this.#active.some((processor) => 'forces' in processor);
    this.#bans = this.#active.some((processor) => 'bans' in processor);
    this.#isScoring = isScoring && options.numBeams === 1;
    this.#renormalizes = processors.renormalizeLogits.isActive(options) || this.#isScoring;
    this.#needsAll = options.doSample || this.#active.some(rescalesUnevenly);
    this.#count = Math.min(count, decoder.vocabSize);
    this.#bannedIn = new Int32Array(decoder.vocabSize);
  }

  /** The tokens to choose from in every row. */
  async after(rows: WaitingRows): Promise<NextTokens> {
    if (this.#options.numBeamGroups > 1) return this.#diverse(rows);
    if (this.#needsAll) {
      const best = this.#ownRows(rows);
      const scores = await this.#rankAll(rows, best);
      if (!this.#options.doSample) return best;
      return { count: this.#decoder.vocabSize, ids: undefined, scores, normalizers: best.normalizers };
    }
    const forced = this.#forced(rows);
    if (forced?.every((ids, row) => ids !== undefined || !rows.isOpen(row))) {
      return this.#withForced(this.#ownRows(rows), forced);
    }
    const found = await this.#free(rows, forced);
    return forced ? this.#withForced(found, forced) : found;
  }

  /** The tokens of rows that are free to choose. */
  async #free(rows: WaitingRows, forced: readonly (number[] | undefined)[] | undefined): Promise<Ranked> {
    const banned = this.#bans
      ? Array.from({ length: rows.count }, (_, row) =>
          rows.isOpen(row) && !forced?.[row] ? bannedTokens(this.#active, this.#context(rows, row)) : [],
        )
      : [];
    if (this.#renormalizes) {
      const isBanning = banned.some((ids) => ids.length > 0);
      return this.#fromCandidates(rows, this.#count, isBanning ? banned : undefined);
    }
    const spares = banned.reduce((most, ids) => Math.max(most, ids.length), 0);
    if (spares > mostSpares || this.#count + spares > this.#decoder.vocabSize) {
      const best = this.#ownRows(rows);
      await this.#rankAll(rows, best);
      return best;
    }
    const best = await this.#fromCandidates(rows, this.#count + spares);
    return spares === 0 ? best : this.#withoutBanned(best, rows, banned);
  }

  async #fromCandidates(rows: WaitingRows, count: number, banned?: readonly (readonly number[])[]): Promise<Ranked> {
    const { ids, logProbs } = await this.#decoder.candidates(count, banned);
    for (let row = 0; row < rows.count; row++) if (rows.isOpen(row)) checkScores(logProbs, row * count, 1, row, rows);
    return { count, ids, scores: logProbs, normalizers: this.#normalizers(rows) };
  }

  #withoutBanned({ count, ids, scores }: Ranked, rows: WaitingRows, banned: readonly (readonly number[])[]): Ranked {
    const best = this.#ownRows(rows);
    for (let row = 0; row < rows.count; row++) {
      if (!rows.isOpen(row)) continue;
      const mark = ++this.#rowsSeen;
      for (const id of banned[row]!) this.#bannedIn[id] = mark;
      const end = (row + 1) * best.count;
      for (let from = row * count, to = row * best.count; to < end; from++) {
        const id = ids[from]!;
        if (this.#bannedIn[id] === mark) continue;
        best.ids[to] = id;
        best.scores[to++] = scores[from]!;
      }
    }
    return best;
  }

  async #diverse(rows: WaitingRows): Promise<NextTokens> {
    const { vocabSize } = this.#decoder;
    const penalty = Math.fround(this.#options.diversityPenalty);
    const logits = await this.#decoder.logits();
    const best = this.#ownRows(rows);
    const diversify = (row: number, chosen: Int32Array) => {
      const start = row * vocabSize;
      checkScores(logits, start, vocabSize, row, rows);
      const scores = logits.subarray(start, start + vocabSize);
      logSoftmax(scores);
      const times = new Map<number, number>();
      for (const token of chosen) times.set(token, (times.get(token) ?? 0) + 1);
      for (const [token, count] of times) scores[token]! -= penalty * count;
      applyProcessors(this.#active, scores, this.#context(rows, row));
      topK(logits, start, vocabSize, best.count, best.ids, best.scores, row * best.count);
    };
    return { ...best, diversify };
  }

  /** Processes the whole vocabulary's scores, which it returns, and finds the best of them unless they are drawn from. */
  async #rankAll(rows: WaitingRows, best: Ranked): Promise<Float32Array> {
    const { vocabSize } = this.#decoder;
    const { doSample, numBeams } = this.#options;
    const logits = await this.#decoder.logits();
    for (let row = 0; row < rows.count; row++) {
      if (!rows.isOpen(row)) continue;
      const start = row * vocabSize;
      checkScores(logits, start, vocabSize, row, rows);
      const scores = logits.subarray(start, start + vocabSize);
      if (numBeams > 1) logSoftmax(scores);
      applyProcessors(this.#active, scores, this.#context(rows, row));
      if (best.normalizers) best.normalizers[row] = logSumExp(scores);
      if (!doSample) topK(logits, start, vocabSize, best.count, best.ids, best.scores, row * best.count);
    }
    return logits;
  }

  /** For each row the ids that alone may come, if so; undefined where nothing is forced anywhere. */
  #forced(rows: WaitingRows): (number[] | undefined)[] | undefined {
    if (!this.#forces) return undefined;
    const forced = Array.from({ length: rows.count }, (_, row) =>
      rows.isOpen(row) ? forcedTokens(this.#active, this.#context(rows, row)) : undefined,
    );
    return forced.some((ids) => ids !== undefined) ? forced : undefined;
  }

  #withForced({ count, ids, scores, normalizers }: Ranked, forced: readonly (readonly number[] | undefined)[]): Ranked {
    for (const [row, only] of forced.entries()) {
      if (only === undefined) continue;
      const [start, end] = [row * count, (row + 1) * count];
      ids.fill(NO_TOKEN, start, end).set(only.slice(0, count), start);
      // Chosen among themselves, tokens that are forced together are equally likely.
      scores.fill(this.#renormalizes ? -Math.log(only.length) : 0, start, end);
    }
    return { count, ids, scores, normalizers };
  }

  /** Arrays for the best tokens of all rows, which are used again in the next step. */
  #ownRows(rows: WaitingRows): Ranked {
    const size = rows.count * this.#count;
    if (this.#ids.length < size) {
      this.#ids = new Int32Array(size);
      this.#scores = new Float32Array(size);
    }
    return { count: this.#count, ids: this.#ids, scores: this.#scores, normalizers: this.#normalizers(rows) };
  }

  #normalizers(rows: WaitingRows): Float64Array | undefined {
    return this.#isScoring ? new Float64Array(rows.count) : undefined;
  }

  #context(rows: WaitingRows, row: number) {
    return { options: this.#options, tokens: rows.tokensOf(row) };
  }
}

/** Whether all scores are needed: normalisation alone can be left to the graph. */
function rescalesUnevenly(processor: Processor): boolean {
  return 'rescales' in processor && processor !== processors.renormalizeLogits;
}

function checkScores(scores: Float32Array, start: number, count: number, row: number, rows: WaitingRows): void {
  for (let at = start; at < start + count; at++) {
    const score = scores[at]!;
    if (score < Infinity) continue;
    fail(
      'generation',
      `the model's scores for token ${rows.tokensOf(row).length} of row ${row} hold ${score}, which no token can be chosen by. ` +
        'Look for NaN or huge values in its weights.',
    );
  }
}
