import {
  add,
  broadcast,
  input,
  logSumExp,
  matmul,
  multiply,
  negate,
  product,
  reshape,
  selectRows,
  subtract,
  sum,
  transpose,
  type Value,
} from '../graph/index.js';
import type { Retrieval, Seq2SeqArchitecture } from './architecture.js';
import { packedAttention, packedDecoderAttention } from './attention.js';
import type { Builder } from './builder.js';
import { vocabularyLogits } from './head.js';
import { type LabelScores, labelScores, scoresOf } from './label-scores.js';
import { causalBiases, packedInput, sourceInput, textInput } from './packing.js';

/**
 * The negative log-likelihood of each question's target, [questions, 1], its documents marginalised out as Lewis et al. 2020
 * do it, with Transformers' ways of counting:
 *
 * - rag-token: Σₜ −log Σ_d p(d)·p(yₜ | d, y₍<ₜ₎)
 * - rag-sequence: −log Σ_d p(d)·Πₜ p(yₜ | d, y₍<ₜ₎); p(d) goes with the second token, and is left out where there is none
 *
 * Every target is there once for each document, as rows of their own. Inputs beside those of the generator:
 * `label.rows` [labels·documents], where the label's row of each document is, and `label.places` [target tokens], the way
 * back; `label.counts` [labels, 1], 0 for padding and what is left out; `label.question` [labels, questions], 1 where a label
 * is of a question; `prior.counts` [questions, 1].
 */
function marginal(
  retrieval: Retrieval,
  scores: LabelScores,
  documentLogProbs: Value,
  smoothing: { readonly rate: number; readonly vocabSize: number; readonly logits: () => Value },
): Value {
  const { kind, documents } = retrieval;
  const rows = input('label.rows', 'int32', [product(['labels', documents])]);
  const places = input('label.places', 'int32', ['targetTokens']);
  const counts = input('label.counts', 'float32', ['labels', 1]);
  const questionOf = input('label.question', 'float32', ['labels', 'questions']);
  /** [target tokens, width] → [labels, documents·width] */
  const byDocument = (x: Value) => reshape(selectRows(x, rows, places), ['labels', product([documents, x.shape[1]!])]);
  const perQuestion = (x: Value) => matmul(questionOf, multiply(x, counts), { transposeA: true });
  const logProbs = byDocument(subtract(scores.labelLogit, scores.logPartition));
  const { rate, vocabSize } = smoothing;

  if (kind === 'token') {
    const priors = matmul(questionOf, documentLogProbs);
    const likelihood = perQuestion(logSumExp(add(logProbs, priors)));
    if (rate === 0) return negate(likelihood);
    // Every token of the vocabulary is marginalised by itself, for which all logits must be there.
    const all = subtract(smoothing.logits(), scores.logPartition);
    const wide = reshape(byDocument(all), ['labels', documents, vocabSize]);
    const weighed = add(wide, reshape(priors, ['labels', documents, 1]));
    const marginals = reshape(logSumExp(transpose(weighed, [0, 2, 1])), ['labels', vocabSize]);
    return smoothed(likelihood, perQuestion(sum(marginals, [1], true)), smoothing);
  }
  const priors = multiply(documentLogProbs, input('prior.counts', 'float32', ['questions', 1]));
  const likelihood = logSumExp(add(perQuestion(logProbs), priors));
  if (rate === 0) return negate(likelihood);
  // Of all logits, padding alone is left out.
  const kept = input('label.kept', 'float32', ['labels', 1]);
  const totals = byDocument(subtract(scores.allLogits(), multiply(scores.logPartition, vocabSize)));
  const summed = matmul(questionOf, multiply(totals, kept), { transposeA: true });
  return smoothed(likelihood, logSumExp(add(summed, multiply(priors, vocabSize))), smoothing);
}

/** −(1−ε)·likelihood − ε/vocabulary·all */
function smoothed(likelihood: Value, all: Value, { rate, vocabSize }: { rate: number; vocabSize: number }): Value {
  return negate(add(multiply(likelihood, 1 - rate), multiply(all, rate / vocabSize)));
}

/** [questions, documents] → log-probabilities among the documents of a question. */
export const documentLogProbabilities = (scores: Value): Value => subtract(scores, logSumExp(scores));

/**
 * From questions, their documents and targets to the negative log-likelihoods [questions, 1]. Inputs: those of
 * `packTexts`; `documents.vectors` [questions, documents, size]; of every document with its question those of `packSource`,
 * of the target once for each of these those of `packTarget`, `labels`, and what {@link marginal} names.
 */
export function ragLoss(
  m: Builder,
  { vocabSize }: Seq2SeqArchitecture,
  retrieval: Retrieval,
  { groups, smoothing }: { readonly groups: number; readonly smoothing: number },
): Value {
  const { generator, documents, size } = retrieval;
  const question = reshape(retrieval.encodeQuestions(m, textInput('questions')), ['questions', 1, size]);
  const vectors = input('documents.vectors', 'float32', ['questions', documents, size]);
  const scores = reshape(matmul(question, vectors, { transposeB: true }), ['questions', documents]);
  const source = sourceInput(groups);
  const target = packedInput('target', groups);
  const encoded = generator.encoder(m, source);
  const attention = packedDecoderAttention(generator.decoderAttention, source, target.layout);
  const hidden = generator.decoder(m, { ids: target.ids, positions: target.positions, attention, encoded });
  return marginal(
    retrieval,
    labelScores(m, generator, hidden, input('labels', 'int32', ['targetTokens'])),
    documentLogProbabilities(scores),
    { rate: smoothing, vocabSize, logits: () => vocabularyLogits(m, generator, hidden) },
  );
}

/**
 * The negative log-likelihoods [questions, 1] of several answers to one question, each over all its documents. Every answer
 * counts as a question of its own, but documents are encoded once: all answers lie behind one another as queries over them.
 * Sequences come document by document. Inputs: `documents.logProbs` [1, documents], and otherwise those of {@link ragLoss}.
 * @param isQuantized whether the vocabulary's matrix is kept in few bits
 */
export function ragAnswerScores(
  m: Builder,
  retrieval: Retrieval,
  { isQuantized }: { readonly isQuantized: boolean },
): Value {
  const { generator, documents } = retrieval;
  const shape = generator.decoderAttention;
  const source = sourceInput();
  const perToken = (name: string) => input(`target.${name}`, 'int32', ['targetTokens']);
  const padIndex = input('target.padIndex', 'int32', [product(['batch', 'questions', 'targetLength'])]);
  const places = { padIndex, packIndex: perToken('packIndex'), isOnly: true };
  const answers = { batch: product(['batch', 'questions']), length: 'targetLength', places };
  const layout = { tokens: 'targetTokens', rectangles: [answers] };
  const across = {
    ...layout,
    rectangles: [{ batch: 'batch', length: product(['questions', 'targetLength']), places }],
  };
  const causal = causalBiases(layout);
  const encoded = generator.encoder(m, source);
  const hidden = generator.decoder(m, {
    ids: perToken('ids'),
    positions: perToken('positions'),
    encoded,
    attention: {
      self: (part, _, q, k, v) => packedAttention(part, shape, { q, k, v }, causal, layout),
      cross: (part, _, q, project) =>
        packedAttention(part, shape, { q, ...project() }, source.biases, across, source.layout),
    },
  });
  const logProbs = broadcast(input('documents.logProbs', 'float32', [1, documents]), ['questions', documents]);
  const labels = input('labels', 'int32', ['targetTokens']);
  const logits = () => vocabularyLogits(m, generator, hidden);
  // A matrix in few bits is multiplied by as a whole.
  const scores = isQuantized ? scoresOf(logits(), labels) : labelScores(m, generator, hidden, labels);
  return marginal(retrieval, scores, logProbs, { rate: 0, vocabSize: generator.vocabSize, logits });
}
