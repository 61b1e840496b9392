import type { ProgressScore } from './trainer-state.js';

/** `training_progress_scores.csv`: a column for the step, the training loss and each result; empty where one is missing. */
export function progressScoresCsv(scores: readonly ProgressScore[]): string {
  const columns = [...new Set(scores.flatMap((score) => Object.keys(score)))];
  const lines = [columns, ...scores.map((score) => columns.map((column) => score[column] ?? ''))];
  return lines.map((cells) => `${cells.map(cell).join(',')}\n`).join('');
}

function cell(value: string | number): string {
  const text = String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
