import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The command line as it is installed. */
export const program = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

if (!existsSync(program)) throw new Error(`${program} is not there. Build it: npm run build.`);

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs `seq2seq` in a folder to its end. */
export function runIn(folder: string, args: readonly string[], { input = '', env = {} }: RunOptions = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd: folder,
    encoding: 'utf8',
    input,
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}
