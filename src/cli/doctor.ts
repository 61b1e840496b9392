import { existsSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, freemem, platform, release, totalmem } from 'node:os';
import { Command } from 'commander';
import { fail } from '../errors.js';
import { printResult } from './output.js';

/** One thing that has to be there. `examine` says what was found, or fails saying what is missing. */
interface Examination {
  readonly name: string;
  readonly examine: () => unknown;
}

const examinations: readonly Examination[] = [
  { name: 'node', examine: nodeVersion },
  { name: 'platform', examine: () => `${platform()} ${arch()} ${release()}` },
  { name: 'cores', examine: () => `${availableParallelism()} usable, ${cpus()[0]?.model ?? 'of unknown kind'}` },
  { name: 'memory', examine: () => `${gigabytes(freemem())} free of ${gigabytes(totalmem())}` },
  { name: 'packages', examine: installedPackages },
  { name: 'engine', examine: async () => (await import('../engine/index.js')).describeEngine() },
  { name: 'self-check', examine: async () => (await import('../engine/index.js')).selfCheck() },
];

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Say what this installation runs on, and what is missing.')
    .option('--json', 'print the findings as one JSON object')
    .action(doctor);
}

async function doctor({ json }: { json?: boolean }): Promise<void> {
  const findings: Record<string, unknown> = {};
  const missing: string[] = [];
  for (const { name, examine } of examinations) {
    try {
      findings[name] = await examine();
    } catch (error) {
      findings[name] = `MISSING: ${(error as Error).message}`;
      missing.push(name);
    }
  }
  const result = { ok: missing.length === 0, ...findings };
  await printResult(result, json);
  if (missing.length > 0) fail('doctor', `${missing.join(', ')} did not pass. The findings above say why.`);
}

function nodeVersion(): string {
  const major = Number(process.versions.node.split('.')[0]);
  return major >= 20
    ? process.version
    : fail('doctor', `Node ${process.version} is too old. Install Node 20 or newer.`);
}

function gigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/** The version of each package that this one depends on, as Node finds it from here. */
function installedPackages(): Record<string, string> {
  const { dependencies } = manifest(new URL('../../../package.json', import.meta.url));
  return Object.fromEntries(Object.keys(dependencies ?? {}).map((name) => [name, installedVersion(name)]));
}

function installedVersion(name: string): string {
  // The nearest node_modules above; a package's own exports may hide its package.json.
  for (let folder = new URL('.', import.meta.url); ; folder = new URL('..', folder)) {
    const file = new URL(`node_modules/${name}/package.json`, folder);
    if (existsSync(file)) return manifest(file).version;
    if (folder.pathname === new URL('..', folder).pathname)
      fail('doctor', `package ${name} is not installed. Run npm install.`);
  }
}

function manifest(file: URL): { version: string; dependencies?: Record<string, string> } {
  return JSON.parse(readFileSync(file, 'utf8'));
}
