import type { Seq2SeqArgs } from './args/index.js';
import type { ModelParts } from './model-parts.js';
import type { ModelRows } from './model-rows.js';
import {
  type BatchPlan,
  createBatch,
  createRagBatch,
  type Examples,
  estimateMemory,
  longestDocuments,
  memoryThere,
  type ParameterGroup,
  parameterGroups,
  type RunPlan,
} from './training/index.js';

/** What a user should see before the first step, a line each: the rows, an example as the model sees it, sizes and steps. */
export function trainingSummary(
  parts: ModelParts,
  args: Seq2SeqArgs,
  { examples, encoded }: ModelRows,
  plan: RunPlan,
  columns = 100,
): string[] {
  const { blankSources, blankTargets, cutSources, cutTargets, cache } = encoded;
  const dropped = blankSources + blankTargets;
  const blank = [
    blankSources > 0 ? `${count(blankSources)} with a blank input_text` : '',
    blankTargets > 0 ? `${count(blankTargets)} with a blank target_text` : '',
  ].filter(Boolean);
  const groups = parameterGroups(parts.weights, args);
  const { totalSteps, epochs } = plan;
  const maxTargetLength = args.maxTargetLength ?? args.maxSeqLength;
  const targetLimit = args.maxTargetLength === undefined ? 'maxSeqLength' : 'maxTargetLength';
  const { source, target } = examples.at(0);
  const cut = (line: string) => (line.length < columns ? line : `${line.slice(0, columns - 2)}…`);
  const whole = (text: string) => text.replace(/\s/g, ' ');
  const size = args.batchTokens === undefined ? `${args.trainBatchSize} rows` : `${count(args.batchTokens)} tokens`;
  const accumulated = args.gradientAccumulationSteps > 1 ? ` of ${args.gradientAccumulationSteps} batches` : '';
  return [
    `Rows         ${count(examples.length)}${dropped > 0 ? `, and ${count(dropped)} left out: ${blank.join(', ')}` : ''}`,
    `Sources      ${lengths((row) => examples.sourceLength(row), examples.length)}; ${share(cutSources, examples.length)} cut at maxSeqLength ${args.maxSeqLength}`,
    `Targets      ${lengths((row) => examples.targetLength(row), examples.length)}; ${share(cutTargets, examples.length)} cut at ${targetLimit} ${maxTargetLength}`,
    cut(`Example      ${whole(parts.tokenizers.source.decode(source, { skipSpecialTokens: false }))}`),
    cut(`           → ${whole(parts.tokenizers.target.decode(target, { skipSpecialTokens: false }))}`),
    `Parameters   ${parametersLine(parts, groups)}`,
    `Memory       ${memoryLine(parts, args, groups, examples, plan.epoch(0))}`,
    `Steps        ${count(totalSteps)}${accumulated} in ${count(epochs)} epoch${epochs === 1 ? '' : 's'}, batches of ${size}`,
    ...(cache ? [`Tokens       ${cache.wasThere ? 'taken from' : 'kept in'} ${cache.file}`] : []),
  ];
}

const count = (number: number) => number.toLocaleString('en');

function share(part: number, of: number): string {
  return part === 0 ? 'none' : `${count(part)} (${Number(((100 * part) / of).toPrecision(2))}%)`;
}

/** Median, 95th percentile and longest. */
function lengths(lengthOf: (row: number) => number, rows: number): string {
  const sorted = Uint32Array.from({ length: rows }, (_, row) => lengthOf(row)).sort();
  const at = (part: number) => sorted[Math.min(rows - 1, Math.floor(part * rows))]!;
  return `median ${at(0.5)} tokens, 95% up to ${at(0.95)}, longest ${sorted[rows - 1]}`;
}

function parametersLine({ weights }: ModelParts, groups: readonly ParameterGroup[]): string {
  const trained = groups
    .flatMap(({ parameters }) => parameters)
    .reduce((sum, { name }) => sum + weights.array(name).length, 0);
  const all = weights.parameterCount;
  return trained === all ? count(all) : `${count(all)}, ${count(trained)} of them trained`;
}

function memoryLine(
  { architecture, weights }: ModelParts,
  args: Seq2SeqArgs,
  groups: readonly ParameterGroup[],
  examples: Examples,
  plan: BatchPlan,
): string {
  const longest = (rows: Uint32Array, lengthOf: (row: number) => number) =>
    rows.reduce((most, row) => Math.max(most, lengthOf(row)), 0);
  let largest = plan.at(0);
  let most = 0;
  for (let batch = 0; batch < plan.count; batch++) {
    const rows = plan.at(batch);
    const source = longest(rows, (row) => examples.sourceLength(row));
    const target = longest(rows, (row) => examples.targetLength(row));
    if (rows.length * (source + target) > most) [largest, most] = [rows, rows.length * (source + target)];
  }
  const rows = Array.from(largest, (row) => examples.at(row));
  const { retrieval } = architecture;
  const batch = retrieval
    ? createRagBatch(rows, longestDocuments(rows, retrieval), architecture, retrieval)
    : createBatch(rows, architecture);
  const needed = estimateMemory(architecture, weights, groups, args, batch);
  const there = memoryThere();
  const sizes = `about ${gigabytes(needed)} needed, ${gigabytes(there)} there`;
  return needed <= there
    ? sizes
    : `${sizes}: THIS MAY NOT BE ENOUGH. Lower trainBatchSize with more gradientAccumulationSteps, lower maxSeqLength, or take Adafactor.`;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(bytes < 2 ** 33 ? 2 : 0)} GiB`;
}
