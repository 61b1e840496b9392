import type { Retrieval } from './architecture.js';
import type { Feeds } from './packing.js';

/** Which question and which of its documents a packed target sequence is of. */
export interface DocumentSequence {
  readonly question: number;
  readonly document: number;
}

/** What the loss of a model that retrieves is fed about labels. */
export interface PackedLabels {
  readonly feeds: Feeds;
  /** Labels that count: all but padding. */
  readonly count: number;
}

type LabelRules = Pick<Retrieval, 'documents' | 'kind' | 'excludesBosScore' | 'bosTokenId'> & {
  readonly generator: Pick<Retrieval['generator'], 'padTokenId'>;
};

/**
 * Fills the inputs `labels`, `label.*` and `prior.counts` of the loss.
 * @param labels of each question
 * @param sequences in the order in which the target's rows come
 */
export function packLabels(
  { documents, kind, excludesBosScore, bosTokenId, generator: { padTokenId } }: LabelRules,
  labels: readonly Int32Array[],
  sequences: readonly DocumentSequence[],
): PackedLabels {
  const starts = labels.map(() => 0);
  let total = 0;
  for (const [question, { length }] of labels.entries()) {
    starts[question] = total;
    total += length;
  }
  const rows = new Int32Array(total * documents);
  const places = new Int32Array(total * documents);
  const perRow = new Int32Array(total * documents);
  let row = 0;
  for (const { question, document } of sequences) {
    for (let place = 0; place < labels[question]!.length; place++, row++) {
      const label = (starts[question]! + place) * documents + document;
      rows[label] = row;
      places[row] = label;
      perRow[row] = labels[question]![place]!;
    }
  }
  const counts = new Float32Array(total);
  const kept = new Float32Array(total);
  const questionOf = new Float32Array(total * labels.length);
  const priors = new Float32Array(labels.length);
  const leavesOutFirst = kind === 'sequence' && excludesBosScore && labels.every(([first]) => first === bosTokenId);
  for (const [question, own] of labels.entries()) {
    for (const [place, label] of own.entries()) {
      const at = starts[question]! + place;
      const counted = Number(label !== padTokenId);
      kept[at] = counted;
      counts[at] = place === 0 && leavesOutFirst ? 0 : counted;
      questionOf[at * labels.length + question] = 1;
      if (place === 1) priors[question] = counted;
    }
  }
  const count = kept.reduce((sum, each) => sum + each, 0);
  return {
    count,
    feeds: {
      labels: { data: perRow, shape: [perRow.length] },
      'label.rows': { data: rows, shape: [rows.length] },
      'label.places': { data: places, shape: [places.length] },
      'label.counts': { data: counts, shape: [total, 1] },
      'label.kept': { data: kept, shape: [total, 1] },
      'label.question': { data: questionOf, shape: [total, labels.length] },
      'prior.counts': { data: priors, shape: [labels.length, 1] },
    },
  };
}
