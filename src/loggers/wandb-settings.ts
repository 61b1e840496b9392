import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { refuseUnknown } from '../errors.js';

/** The arguments of Python's `wandb.init` that have a meaning here, for the environment variables that stand in for them. */
const ARGUMENTS = {
  entity: 'WANDB_ENTITY',
  name: 'WANDB_NAME',
  id: 'WANDB_RUN_ID',
  group: 'WANDB_RUN_GROUP',
  job_type: 'WANDB_JOB_TYPE',
  notes: 'WANDB_NOTES',
  tags: 'WANDB_TAGS',
  mode: 'WANDB_MODE',
  config: undefined,
} as const;
type Argument = keyof typeof ARGUMENTS;

export interface WandbSettings {
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly project: string;
  readonly sweep: string | undefined;
  readonly tags: readonly string[];
  /** `disabled` and `offline` send nothing. */
  readonly mode: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly texts: Readonly<Partial<Record<Argument, string>>>;
}

/** Where a run goes and as what, from the option `wandbKwargs` first, then from the variables that Python's client reads. */
export function wandbSettings(
  project: string,
  kwargs: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv = process.env,
): WandbSettings {
  const snake = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const given = Object.fromEntries(Object.entries(kwargs).map(([key, value]) => [snake(key), value]));
  refuseUnknown('wandbKwargs', given, Object.keys(ARGUMENTS));
  const texts: Partial<Record<Argument, string>> = {};
  for (const [name, variable] of Object.entries(ARGUMENTS) as [Argument, string | undefined][]) {
    const value = given[name] ?? (variable === undefined ? undefined : env[variable]);
    if (value !== undefined && value !== null && name !== 'config' && name !== 'tags') texts[name] = String(value);
  }
  const { tags = env.WANDB_TAGS?.split(',') ?? [], config = {} } = given;
  const baseUrl = (env.WANDB_BASE_URL ?? 'https://api.wandb.ai').replace(/\/$/, '');
  return {
    baseUrl,
    apiKey: env.WANDB_API_KEY || netrcPassword(new URL(baseUrl).hostname, env),
    project,
    sweep: env.WANDB_SWEEP_ID || undefined,
    tags: (Array.isArray(tags) ? tags : [tags]).map((tag) => String(tag).trim()),
    mode: texts.mode ?? 'online',
    config: config as Readonly<Record<string, unknown>>,
    texts,
  };
}

/** The password of a machine in ~/.netrc, where `wandb login` keeps the key. */
function netrcPassword(machine: string, env: NodeJS.ProcessEnv): string | undefined {
  const file = env.NETRC ?? path.join(homedir(), '.netrc');
  if (!existsSync(file)) return undefined;
  const words = readFileSync(file, 'utf8').split(/\s+/);
  const start = words.findIndex((word, i) => word === 'machine' && words[i + 1] === machine);
  if (start < 0) return undefined;
  const next = words.indexOf('machine', start + 1);
  const entry = words.slice(start, next < 0 ? undefined : next);
  const place = entry.indexOf('password');
  return place < 0 ? undefined : entry[place + 1];
}
