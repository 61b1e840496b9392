import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { PredictRound } from './bench-model.js';
import {
  type Contender,
  contest,
  flags,
  machine,
  pythonCommand,
  root,
  type Standing,
  startOurs,
  startPython,
} from './contest.js';
import { writeBetween } from './tables.js';

// Prediction with models of the size of opus-mt and of BART-base, against Transformers, CTranslate2 and transformers.js on the
// same machine, in turns: `node dist/bench/predict.js --model marian --turns 5`. First batches of 32 tokens whose answers have
// exactly --tokens new tokens; then --lines lines as long as real ones, whose answers end by themselves. --write puts the
// tables into docs/performance.md.

const options = flags({
  model: 'marian',
  turns: 5,
  'line-turns': 1,
  threads: 2,
  tokens: 32,
  lines: 2000,
  'line-batch': 32,
  beams: '1,4',
  batches: '1,8,32',
  contenders: 'int8,ct2,ct2-int8,hf,tjs',
  directory: path.join(root, 'bench/.cache/predict'),
  write: 0,
});

/** Everyone but ourselves in float32, by the name that --contenders has for them. */
const contenders: Readonly<
  Record<string, { readonly name: string; readonly beams: boolean; start(settings: object): Promise<Contender> }>
> = {
  int8: {
    name: 'ours, int8',
    beams: true,
    start: (settings) => startOurs('predict-server.js', { ...settings, bits: 8 }),
  },
  ct2: {
    name: 'CTranslate2',
    beams: true,
    start: (settings) => startPython('CTranslate2', 'ct2_predict.py', settings),
  },
  'ct2-int8': {
    name: 'CTranslate2, int8',
    beams: true,
    start: (settings) => startPython('CTranslate2 int8', 'ct2_predict.py', { ...settings, compute_type: 'int8' }),
  },
  hf: {
    name: 'Transformers',
    beams: true,
    start: (settings) => startPython('Transformers', 'hf_predict.py', settings),
  },
  tjs: { name: 'transformers.js', beams: false, start: (settings) => startOurs('transformers-js-server.js', settings) },
};

const numbers = (list: string) => list.split(',').map(Number);
const directory = path.join(options.directory, options.model);
if (!existsSync(path.join(directory, 'ending', 'sources.json'))) {
  const { status } = spawnSync(...pythonCommand('make_model.py', directory, options.model), { stdio: 'inherit' });
  if (status !== 0) throw new Error(`no model could be made in ${directory}. The reason is above.`);
}
const chosen = options.contenders.split(',').map((name) => contenders[name] ?? unknownContender(name));
const output: string[] = [];

async function compare(
  place: string,
  rounds: readonly PredictRound[],
  turns: number,
  label: (round: PredictRound) => string,
) {
  const settings = { directory: place, threads: options.threads };
  const ours = await startOurs('predict-server.js', settings);
  const others: Contender[] = [];
  for (const one of chosen) others.push(await one.start(settings));
  const heads = chosen.map(({ name }) => name);
  say(`| | ours, f32 | ${heads.map((name) => `÷ ${name}`).join(' | ')} | answers as ours | peak GB |`);
  say(`|${'---|'.repeat(heads.length + 4)}`);
  for (const round of rounds) {
    const able = others.filter((_, i) => round.beams === 1 || chosen[i]!.beams);
    const warmUp = { ...round, count: Math.min(round.count, 2 * round.batch) };
    const [mine, ...theirs] = await contest([ours, ...able], round, turns, warmUp);
    const standing = new Map(able.map((contender, i) => [contender, theirs[i]!]));
    const cells = others.map((contender) => ratio(standing.get(contender), mine!));
    const agreement = others.map((contender) => agreeing(standing.get(contender), mine!)).join(', ');
    const peaks = [mine!, ...theirs].map(({ peak }) => (peak / 1e9).toFixed(2)).join(', ');
    say(`| ${label(round)} | ${rate(mine!)} | ${cells.join(' | ')} | ${agreement} | ${peaks} |`);
  }
  for (const contender of [ours, ...others]) contender.stop();
}

const answersOf = ({ last }: Standing) => last.answers as readonly (readonly number[])[];
const ratio = (theirs: Standing | undefined, ours: Standing) =>
  theirs ? (theirs.median / ours.median).toFixed(2) : '–';

function rate(ours: Standing): string {
  const tokens = answersOf(ours).reduce((sum, answer) => sum + answer.length, 0);
  return `${(tokens / ours.median).toFixed(0)} tokens/s`;
}

function agreeing(theirs: Standing | undefined, ours: Standing): string {
  if (!theirs) return '–';
  const [a, b] = [answersOf(theirs), answersOf(ours)];
  return `${a.filter((answer, i) => String(answer) === String(b[i])).length}/${b.length}`;
}

function say(line: string): void {
  console.log(line);
  output.push(line);
}

function unknownContender(name: string): never {
  throw new Error(`there is no contender "${name}"; known are ${Object.keys(contenders)}`);
}

const about = `${machine()}, ${options.model}, ${options.threads} threads`;
console.log(about);
const batches = numbers(options.beams).flatMap((beams) =>
  numbers(options.batches).map((batch) => ({ count: batch, batch, beams, new_tokens: options.tokens, ends: false })),
);
if (options.turns > 0) {
  await compare(
    directory,
    batches,
    options.turns,
    ({ beams, batch }) => `${batch} × ${beams} beam${beams === 1 ? '' : 's'}`,
  );
}
if (options['line-turns'] > 0) {
  say('');
  const ending = path.join(directory, 'ending');
  const lengths = (JSON.parse(readFileSync(path.join(ending, 'sources.json'), 'utf8')) as number[][]).map(
    (ids) => ids.length,
  );
  console.log(`${lengths.length} lines of ${Math.min(...lengths)} to ${Math.max(...lengths)} tokens`);
  const rounds = numbers(options.beams).map((beams) => ({
    count: options.lines,
    batch: options['line-batch'],
    beams,
    new_tokens: 64,
    ends: true,
  }));
  await compare(
    ending,
    rounds,
    options['line-turns'],
    ({ count, beams }) => `${count} lines × ${beams} beam${beams === 1 ? '' : 's'}`,
  );
}
if (options.write > 0) {
  const text = [`${about}; medians of ${options.turns} turns, of the lines ${options['line-turns']}:`, '', ...output];
  writeBetween(path.join(root, 'docs/performance.md'), `predict-${options.model}`, text);
}
