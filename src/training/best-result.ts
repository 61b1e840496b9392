/** How evaluations during training are judged. */
export interface JudgingOptions {
  earlyStoppingMetric: string;
  earlyStoppingMetricMinimize: boolean;
  /** A result counts as better only if it is so by more than this. */
  earlyStoppingDelta: number;
  useEarlyStopping: boolean;
  /** How many evaluations in a row may fail to be better; one more ends training. */
  earlyStoppingPatience: number;
  /** Whether evaluations after epochs count as well. */
  earlyStoppingConsiderEpochs: boolean;
}

/** What is carried from evaluation to evaluation, and over a resumed run. */
export interface BestState {
  /** Of the metric; null before the first evaluation. */
  best_metric: number | null;
  best_step: number | null;
  /** Evaluations in a row that counted and were not better. */
  early_stopping_counter: number;
}

export const noBest: BestState = { best_metric: null, best_step: null, early_stopping_counter: 0 };

export interface Judgement {
  readonly isBest: boolean;
  readonly stop: boolean;
  readonly state: BestState;
}

/**
 * Judges a result against the best so far. The first one is the best, whatever it is; NaN never is. Simple Transformers
 * compares with the delta's sign reversed, so that there a larger one makes being better easier.
 */
export function judge(
  state: BestState,
  value: number,
  step: number,
  kind: 'step' | 'epoch',
  options: JudgingOptions,
): Judgement {
  const { best_metric: best } = state;
  const gain =
    best === null ? Number.POSITIVE_INFINITY : options.earlyStoppingMetricMinimize ? best - value : value - best;
  const isBest = !Number.isNaN(value) && gain > (best === null ? 0 : options.earlyStoppingDelta);
  if (isBest) {
    return { isBest, stop: false, state: { best_metric: value, best_step: step, early_stopping_counter: 0 } };
  }
  const counts = options.useEarlyStopping && (kind === 'step' || options.earlyStoppingConsiderEpochs);
  if (!counts) return { isBest, stop: false, state };
  const failures = state.early_stopping_counter + 1;
  return {
    isBest,
    stop: failures > options.earlyStoppingPatience,
    state: { ...state, early_stopping_counter: failures },
  };
}
