import { fail, nearest } from '../errors.js';
import { bleu, bleuSignature } from './bleu.js';
import { chrf, chrfSignature } from './chrf.js';
import { cer, exactMatch, per, wer } from './error-rates.js';
import { rouge1, rouge2, rougeL, rougeLsum } from './rouge.js';

/** A number for predictions, given in the order of the true texts; higher or lower may be better. */
export type MetricFunction = (truths: readonly string[], predictions: readonly string[]) => number | Promise<number>;

/** Metrics: names of built-in ones, or functions by the names that their results get. */
export type Metrics = readonly string[] | Readonly<Record<string, MetricFunction>>;

/** Those that can be asked for by name. */
export const builtInMetrics = { bleu, chrf, rouge1, rouge2, rougeL, rougeLsum, wer, cer, per, exactMatch } as const;
export type MetricName = keyof typeof builtInMetrics;

/** How a score was made, to be given with it (Post 2018). */
export const metricSignatures: Partial<Readonly<Record<string, string>>> = { bleu: bleuSignature, chrf: chrfSignature };

/** Results with how their scores were made. */
export function withSignatures(results: Readonly<Record<string, number>>): Record<string, number | string> {
  const signatures = Object.keys(results).flatMap((name) => {
    const signature = metricSignatures[name];
    return signature === undefined ? [] : [[`${name}_signature`, signature] as const];
  });
  return { ...results, ...Object.fromEntries(signatures) };
}

/** `rouge_l` and `ROUGE-L` are rougeL. */
const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '');
const byPlainName = new Map((Object.keys(builtInMetrics) as MetricName[]).map((name) => [plain(name), name]));

/** What an evaluation says besides metrics. */
const TAKEN = new Set(['eval_loss', 'loss', 'global_step', 'train_loss', 'step', 'epoch']);

/** The functions that are asked for, by the names of their results. */
export function resolveMetrics(asked: Metrics): Map<string, MetricFunction> {
  if (typeof asked !== 'object' || asked === null) {
    fail(
      'metrics',
      `they are a list of names, or functions by name, not ${JSON.stringify(asked)}. Give ["bleu"], or { mine }.`,
    );
  }
  if (!Array.isArray(asked)) return new Map(Object.entries(asked).map(([name, metric]) => checked(name, metric)));
  return new Map(
    asked.map((given: unknown) => {
      const name = byPlainName.get(plain(String(given)));
      if (name !== undefined) return [name, builtInMetrics[name]];
      const known = Object.keys(builtInMetrics);
      const meant = nearest(String(given), known);
      return fail(
        'metrics',
        `there is no metric "${given}". ${meant ? `Did you mean "${meant}"? ` : ''}Known are ${known.join(', ')}.`,
      );
    }),
  );
}

function checked(name: string, metric: unknown): [string, MetricFunction] {
  if (TAKEN.has(name)) fail('metrics', `"${name}" is what an evaluation says anyway. Name the metric otherwise.`);
  if (typeof metric !== 'function')
    fail('metrics', `${name} is ${typeof metric}, not a function of true and predicted texts.`);
  return [name, metric as MetricFunction];
}

/** Rows that are tried one by one to find the one that a metric fails at. */
const MOST_TRIED = 2000;

/** What a metric says of texts. When it fails, the error names the row. */
export async function computeMetric(
  name: string,
  metric: MetricFunction,
  truths: readonly string[],
  predictions: readonly string[],
): Promise<number> {
  if (truths.length !== predictions.length) {
    fail('metrics', `there are ${truths.length} true texts and ${predictions.length} predictions. Give one for each.`);
  }
  try {
    return await numberFrom(metric, truths, predictions);
  } catch (error) {
    const row = await failingRow(metric, truths, predictions);
    const where =
      row === undefined
        ? `on ${truths.length} rows together, though on none alone`
        : `at row ${row + 1} (true text ${shown(truths[row]!)}, prediction ${shown(predictions[row]!)})`;
    return fail('metrics', `${name} failed ${where}: ${(error as Error)?.message ?? error}. Mend the metric.`, error);
  }
}

async function numberFrom(metric: MetricFunction, truths: readonly string[], predictions: readonly string[]) {
  const value: unknown = await metric(truths, predictions);
  if (typeof value !== 'number') throw new TypeError(`its result is ${typeof value}, not a number`);
  return value;
}

async function failingRow(metric: MetricFunction, truths: readonly string[], predictions: readonly string[]) {
  for (let row = 0; row < Math.min(truths.length, MOST_TRIED); row++) {
    try {
      await numberFrom(metric, [truths[row]!], [predictions[row]!]);
    } catch {
      return row;
    }
  }
  return undefined;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 59)}…` : text);
}
