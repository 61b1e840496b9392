import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { writeFileWhole } from '../checkpoints/index.js';
import { plotSvg, plotTerminal, type Series } from '../loggers/index.js';

/** Draws what a run has logged: on stderr for the terminal, and as `training_loss.svg` in its directory. */
export async function plotRun(outputDir: string): Promise<void> {
  const series = seriesOf(path.join(outputDir, 'training_log.jsonl'));
  const { columns = 80 } = process.stderr;
  process.stderr.write(`\n${plotTerminal(series, { width: Math.min(columns, 100), height: 14 })}`);
  const place = path.join(outputDir, 'training_loss.svg');
  await writeFileWhole(place, plotSvg(series, { title: `Training into ${outputDir}` }), 'plot');
  process.stderr.write(`\nSaved as ${place}.\n`);
}

/** The training loss and, where there were evaluations, theirs. */
function seriesOf(log: string): Series[] {
  const entries = readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { step: number; loss?: number; eval_loss?: number });
  const points = (name: 'loss' | 'eval_loss') =>
    entries.flatMap((entry) =>
      entry[name] === undefined ? [] : [{ step: entry.step, value: entry[name] ?? Number.NaN }],
    );
  const evaluated = points('eval_loss');
  return [
    { name: 'loss', points: points('loss') },
    ...(evaluated.length > 0 ? [{ name: 'eval_loss', points: evaluated }] : []),
  ];
}
