/**
 * A rule of the caller's own: changes the scores of a row's next token `[vocab]` in place, -Infinity to rule a token out.
 * `tokens` are the row's so far, the start token included. Scores are log-probabilities with beams, else logits.
 */
export type LogitsProcessor = (tokens: Int32Array, scores: Float32Array) => void;
