import { fail } from '../errors.js';
import type { GenerationOptions } from './options.js';
import { largestOf, logSoftmax, logSumExp, massOf } from './reductions.js';
import { topK } from './top-k.js';

/** The row a processor looks at. */
export interface RowContext {
  readonly options: GenerationOptions;
  /** The row's sequence so far, the start token included. */
  readonly tokens: Int32Array;
}

/** Bans tokens: their scores become -Infinity. Adds their ids to `banned`, some perhaps twice. */
interface BanningProcessor {
  bans(row: RowContext, banned: number[]): void;
}

/** Leaves only some tokens, with a score of 0, at some steps: their ids, or undefined at a step that is free. */
interface ForcingProcessor {
  forces(row: RowContext): readonly number[] | undefined;
}

/** Changes scores `[vocab]` by their values, and so needs all of them. */
interface RescalingProcessor {
  rescales(scores: Float32Array, row: RowContext): void;
}

/** Shapes the scores of a row's next token. What kind it is tells the search how many scores it needs. */
export type Processor = { isActive(options: GenerationOptions): boolean } & (
  | BanningProcessor
  | ForcingProcessor
  | RescalingProcessor
);

/** Every processor, in the order in which Transformers applies them. */
export const processors = {
  /** score · penalty below zero, score / penalty above, once for every token that the row already holds. */
  repetitionPenalty: {
    isActive: ({ repetitionPenalty }) => repetitionPenalty !== 1,
    rescales(scores, { options, tokens }) {
      const penalty = Math.fround(options.repetitionPenalty);
      for (const token of new Set(tokens)) {
        const score = scores[token]!;
        scores[token] = score < 0 ? score * penalty : score / penalty;
      }
    },
  },

  /** Whatever followed an earlier occurrence of the last n - 1 tokens. */
  noRepeatNgramSize: {
    isActive: ({ noRepeatNgramSize }) => noRepeatNgramSize > 0,
    bans({ options: { noRepeatNgramSize: n }, tokens }, banned) {
      const last = tokens.length - n + 1;
      for (let start = 0; start < last; start++) {
        if (equalRuns(tokens, start, tokens, last, n - 1)) banned.push(tokens[start + n - 1]!);
      }
    },
  },

  /** The last id of every bad word whose other ids end the row; as Transformers has it, only words that fit in the row. */
  badWordsIds: {
    isActive: ({ badWordsIds }) => badWordsIds.length > 0,
    bans({ options: { badWordsIds, eosTokenId }, tokens }, banned) {
      for (const word of badWordsIds) {
        const prefix = word.length - 1;
        const last = word[prefix]!;
        if (prefix === 0 ? eosTokenId.includes(last) : word.length > tokens.length) continue;
        if (equalRuns(word, 0, tokens, tokens.length - prefix, prefix)) banned.push(last);
      }
    },
  },

  minLength: {
    isActive: ({ minLength, eosTokenId }) => minLength > 0 && eosTokenId.length > 0,
    bans({ options: { minLength, eosTokenId }, tokens }, banned) {
      if (tokens.length < minLength) banned.push(...eosTokenId);
    },
  },

  forcedBosTokenId: {
    isActive: ({ forcedBosTokenId }) => forcedBosTokenId !== null,
    forces: ({ options, tokens }) => (tokens.length === 1 ? [options.forcedBosTokenId!] : undefined),
  },

  forcedEosTokenId: {
    isActive: ({ forcedEosTokenId }) => forcedEosTokenId.length > 0,
    forces: ({ options, tokens }) => (tokens.length === options.maxLength - 1 ? options.forcedEosTokenId : undefined),
  },

  suppressTokens: {
    isActive: ({ suppressTokens }) => suppressTokens.length > 0,
    bans: ({ options }, banned) => banned.push(...options.suppressTokens),
  },

  beginSuppressTokens: {
    isActive: ({ beginSuppressTokens }) => beginSuppressTokens.length > 0,
    bans({ options, tokens }, banned) {
      if (tokens.length === firstFreeLength(options)) banned.push(...options.beginSuppressTokens);
    },
  },

  /** What every answer begins with, whatever the rules before say. */
  prefixIds: {
    isActive: ({ prefixIds }) => prefixIds.length > 0,
    forces({ options: { prefixIds }, tokens }) {
      const id = prefixIds[tokens.length - 1];
      return id === undefined ? undefined : [id];
    },
  },

  logitsProcessor: {
    isActive: ({ logitsProcessor }) => logitsProcessor !== null,
    rescales(scores, { options, tokens }) {
      if (tokens.length <= options.prefixIds.length) return;
      try {
        options.logitsProcessor!(tokens, scores);
      } catch (error) {
        fail('generation', `logitsProcessor failed behind ${tokens.length} tokens: ${messageOf(error)}`, error);
      }
      if (largestOf(scores) === -Infinity) {
        fail('generation', `logitsProcessor ruled out every token behind ${tokens.length}. Leave at least one.`);
      }
      const broken = scores.findIndex((score) => !(score < Infinity));
      if (broken >= 0) {
        fail(
          'generation',
          `logitsProcessor made the score of token ${broken} ${scores[broken]}. Write numbers, or -Infinity to rule a token out.`,
        );
      }
    },
  },

  temperature: {
    isActive: ({ doSample, temperature }) => doSample && temperature !== 1,
    rescales(scores, { options }) {
      const temperature = Math.fround(options.temperature);
      for (let id = 0; id < scores.length; id++) scores[id]! /= temperature;
    },
  },

  /** Only the `topK` best stay, with all that equal the last of them. */
  topK: {
    isActive: ({ doSample, topK }) => doSample && topK > 0,
    rescales(scores, { options }) {
      const count = Math.min(Math.max(options.topK, leastKept(options)), scores.length);
      const best = largest(scores, count).scores[count - 1]!;
      for (let id = 0; id < scores.length; id++) if (scores[id]! < best) scores[id] = -Infinity;
    },
  },

  /** Only the fewest best tokens whose probabilities add up to `topP` stay. */
  topP: {
    isActive: ({ doSample, topP }) => doSample && topP < 1,
    rescales(scores, { options }) {
      const { best, kept } = nucleus(scores, options.topP, leastKept(options));
      scores.fill(-Infinity);
      for (let rank = 0; rank < kept; rank++) scores[best.ids[rank]!] = best.scores[rank]!;
    },
  },

  /** Only tokens with at least `minP` of the best one's probability stay. */
  minP: {
    isActive: ({ doSample, minP }) => doSample && minP > 0,
    rescales(scores, { options }) {
      keepAbove(scores, largestOf(scores) + Math.log(options.minP), leastKept(options));
    },
  },

  /**
   * Only the tokens whose surprise -log p is nearest to its expectation, the entropy, stay: the fewest that make up
   * `typicalP` (Meister et al., 2022).
   */
  typicalP: {
    isActive: ({ doSample, typicalP }) => doSample && typicalP < 1,
    rescales(scores, { options }) {
      const normalizer = logSumExp(scores);
      const expected = entropyOf(scores, normalizer);
      const distance = (id: number) => Math.abs(normalizer - scores[id]! - expected);
      const order = Uint32Array.from(scores, (_, id) => id).sort((a, b) => distance(a) - distance(b) || a - b);
      let [mass, last] = [0, 0];
      for (; last < order.length - 1; last++) {
        mass += Math.exp(scores[order[last]!]! - normalizer);
        if (mass >= options.typicalP) break;
      }
      const farthest = distance(order[last]!);
      for (const id of order.subarray(leastKept(options))) if (distance(id) > farthest) scores[id] = -Infinity;
    },
  },

  /** Only tokens of at least this probability stay. */
  epsilonCutoff: {
    isActive: ({ doSample, epsilonCutoff }) => doSample && epsilonCutoff > 0,
    rescales(scores, { options }) {
      keepAbove(scores, logSumExp(scores) + Math.log(options.epsilonCutoff), leastKept(options));
    },
  },

  /** Only tokens of at least the probability min(η, √η · exp(-entropy)) stay (Hewitt et al., 2022). */
  etaCutoff: {
    isActive: ({ doSample, etaCutoff }) => doSample && etaCutoff > 0,
    rescales(scores, { options }) {
      const normalizer = logSumExp(scores);
      const eta = Math.log(options.etaCutoff);
      const limit = Math.min(eta, eta / 2 - entropyOf(scores, normalizer));
      keepAbove(scores, normalizer + limit, leastKept(options));
    },
  },

  /** Log-probabilities again, of what is left. Only the sums of beams depend on it. */
  renormalizeLogits: {
    isActive: ({ renormalizeLogits, numBeams }) => renormalizeLogits && numBeams > 1,
    rescales(scores) {
      if (scores.some((score) => score > -Infinity)) logSoftmax(scores);
    },
  },
} as const satisfies Record<string, Processor>;

export function activeProcessors(options: GenerationOptions): Processor[] {
  return Object.values<Processor>(processors).filter(({ isActive }) => isActive(options));
}

/** Applies processors to all scores of one row, in place. */
export function applyProcessors(active: readonly Processor[], scores: Float32Array, row: RowContext): void {
  for (const processor of active) {
    if ('rescales' in processor) {
      processor.rescales(scores, row);
    } else if ('bans' in processor) {
      for (const id of bannedTokens([processor], row)) scores[id] = -Infinity;
    } else {
      const forced = processor.forces(row);
      if (forced !== undefined) {
        scores.fill(-Infinity);
        for (const id of forced) scores[id] = 0;
      }
    }
  }
}

export function bannedTokens(active: readonly Processor[], row: RowContext): number[] {
  const banned: number[] = [];
  for (const processor of active) if ('bans' in processor) processor.bans(row, banned);
  return banned;
}

/** The ids that alone are left at this step, ascending; undefined when it is free. */
export function forcedTokens(active: readonly Processor[], row: RowContext): number[] | undefined {
  let forced: readonly number[] | undefined;
  for (const processor of active) if ('forces' in processor) forced = processor.forces(row) ?? forced;
  return forced && [...new Set(forced)].sort((a, b) => a - b);
}

/** Beams need one token more than there are end tokens, or none might go on. */
function leastKept({ numBeams, eosTokenId }: GenerationOptions): number {
  return numBeams > 1 ? Math.max(2, eosTokenId.length + 1) : 1;
}

/** Rules out all scores below a limit, but for the `least` best. */
function keepAbove(scores: Float32Array, limit: number, least: number): void {
  const best = largest(scores, Math.min(least, scores.length)).scores.at(-1)!;
  for (let id = 0; id < scores.length; id++) if (scores[id]! < limit && scores[id]! < best) scores[id] = -Infinity;
}

/** -Σ p · log p of softmax(scores), whose normaliser is log Σ exp(scores). */
function entropyOf(scores: Float32Array, normalizer: number): number {
  let entropy = 0;
  for (const score of scores) {
    if (score > -Infinity) entropy -= Math.exp(score - normalizer) * (score - normalizer);
  }
  return entropy;
}

/** Tokens of a sequence that has only what is given or forced. */
function firstFreeLength({ prefixIds, forcedBosTokenId }: GenerationOptions): number {
  if (prefixIds.length > 0) return 1 + prefixIds.length;
  return forcedBosTokenId === null ? 1 : 2;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function equalRuns(a: ArrayLike<number>, startA: number, b: ArrayLike<number>, startB: number, count: number): boolean {
  for (let i = 0; i < count; i++) if (a[startA + i] !== b[startB + i]) return false;
  return true;
}

function largest(scores: Float32Array, count: number) {
  const best = { ids: new Int32Array(count), scores: new Float32Array(count) };
  topK(scores, 0, scores.length, count, best.ids, best.scores);
  return best;
}

/** A token stays while the better ones have less than `topP` of the probability; looks at ever more of the best. */
function nucleus(scores: Float32Array, topP: number, least: number) {
  const max = largestOf(scores);
  const total = massOf(scores, max);
  for (let count = 64; ; count *= 8) {
    const best = largest(scores, Math.min(count, scores.length));
    let better = 0;
    for (let kept = 0; kept < best.ids.length; kept++) {
      if (better >= topP * total && kept >= least) return { best, kept };
      better += Math.exp(best.scores[kept]! - max);
    }
    if (best.ids.length === scores.length) return { best, kept: scores.length };
  }
}
