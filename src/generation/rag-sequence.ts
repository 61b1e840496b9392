import { disposeAll, feedTensors, packLabels, packSource, packTarget, type Retrieval } from '../models/index.js';
import { type GenerateSettings, generate } from './generate.js';
import type { ReadDocuments } from './marginal-decoder.js';
import type { GenerationOptions } from './options.js';
import type { GenerationPrograms } from './programs.js';
import type { Sequence } from './row-group.js';

/** Questions whose documents are searched together, before their answers are scored. */
const TOGETHER = 32;

export interface SequenceSettings extends Omit<GenerateSettings, 'onToken' | 'hiddenId'> {
  /**
   * Leaves padding out. Transformers 4.49 pads every document to `max_combined_length`, and then forgets to hide that from the
   * decoder: to be the same, its answers need the padding.
   */
  readonly hidesPadding: boolean;
}

/**
 * RAG-Sequence's thorough decoding (Lewis et al. 2020): each document alone gives `numBeams` answers; every answer is then
 * scored over all documents of its question, and the likeliest come back, with their log-likelihoods as scores.
 *
 * @param options `numReturnSequences` is not looked at
 * @param count answers that are wanted for each question; there may be fewer, where documents agree
 */
export async function generateBySequence(
  programs: GenerationPrograms,
  retrieval: Retrieval,
  questions: readonly ReadDocuments[],
  options: GenerationOptions,
  count: number,
  { onAnswers, onProgress, firstNumber = 0, hidesPadding, ...settings }: SequenceSettings,
): Promise<Sequence[][]> {
  const { documents, maxCombinedLength, generator } = retrieval;
  const { padTokenId } = generator;
  const padded = (context: Int32Array) => {
    const whole = new Int32Array(maxCombinedLength).fill(padTokenId);
    whole.set(context);
    return whole;
  };
  const each = { ...options, numReturnSequences: options.numBeams };
  const answers: Sequence[][] = [];
  for (let start = 0; start < questions.length; start += TOGETHER) {
    const together = questions.slice(start, start + TOGETHER);
    const found = await generate(
      programs,
      together.flatMap(({ contexts }) => (hidesPadding ? contexts : contexts.map(padded))),
      each,
      { ...settings, hiddenId: padTokenId, firstNumber: (firstNumber + start) * documents },
    );
    for (const [i, question] of together.entries()) {
      settings.signal?.throwIfAborted();
      const given = found.slice(i * documents, (i + 1) * documents).flat();
      const candidates = retrieval.deduplicates ? distinct(given) : given;
      const scores = await answerScores(programs, retrieval, question, candidates);
      const best = rank(candidates, scores).slice(0, count);
      answers.push(best);
      onAnswers?.(start + i, best);
      onProgress?.(answers.length);
    }
  }
  return answers;
}

/** The first of those that are alike. */
function distinct(sequences: readonly Sequence[]): Sequence[] {
  const seen = new Map<string, Sequence>();
  for (const each of sequences) {
    const key = each.ids.join();
    if (!seen.has(key)) seen.set(key, each);
  }
  return [...seen.values()];
}

function rank(candidates: readonly Sequence[], scores: Float32Array): Sequence[] {
  return candidates
    .map((candidate, i) => ({ ...candidate, score: scores[i]!, tokenScores: new Float32Array(0) }))
    .sort((a, b) => b.score - a.score);
}

/** The log-likelihood of each answer, over all documents. */
async function answerScores(
  programs: GenerationPrograms,
  retrieval: Retrieval,
  { contexts, logProbs }: ReadDocuments,
  candidates: readonly Sequence[],
): Promise<Float32Array> {
  const taught = candidates.map(({ ids }) => ({ decoderInput: ids.subarray(0, -1), labels: ids.subarray(1) }));
  // Document by document, all answers.
  const sequences = contexts.flatMap((_, document) => taught.map((_, question) => ({ question, document })));
  const inputs = sequences.map(({ question }) => taught[question]!.decoderInput);
  // Transformers leaves the score of a forced start token out, if every answer has one.
  const settings = { ...retrieval, excludesBosScore: true };
  const { feeds } = packLabels(
    settings,
    taught.map(({ labels }) => labels),
    sequences,
  );
  const program = programs.answerScores(retrieval);
  const documents = { 'documents.logProbs': { data: logProbs, shape: [1, logProbs.length] } };
  const fed = feedTensors({ ...packSource([contexts]), ...packTarget([inputs]), ...feeds, ...documents }, program);
  const results = await program.run(fed);
  const each = (results.each!.data as Float32Array).map((value) => -value);
  disposeAll(fed, results);
  return each;
}
