import path from 'node:path';
import { fail } from '../errors.js';
import { safetensorsPieces, type TensorToSave } from './safetensors.js';
import { type FileContent, toBytes, writeFilesWhole } from './write-whole.js';

export interface CheckpointContent {
  /** config.json, generation_config.json, tokenizer files, … by name. */
  readonly files: ReadonlyMap<string, string | Uint8Array>;
  /** All are held at once, as views; the data must stay unchanged until the save is done. */
  readonly weights?: Iterable<TensorToSave>;
  /** model.safetensors unless given. */
  readonly weightsFile?: string;
}

/**
 * Saves a directory that Python's Transformers loads. Where it does not exist, it appears complete or not at all. In an
 * existing one every file is whole; weights follow the files they do not depend on, and config.json, without which nothing
 * loads, comes last: a save cut off between the renames shows old configuration with new weights at worst (which differ in
 * shape, if they do not belong together), and where no checkpoint was before, none.
 */
export async function saveCheckpoint(directory: string, content: CheckpointContent): Promise<void> {
  const { files, weights, weightsFile = 'model.safetensors' } = content;
  const contents: FileContent[] = [...files].map(([name, bytes]) => ({ name, pieces: [toBytes(bytes)] }));
  if (weights) contents.push({ name: weightsFile, pieces: safetensorsPieces(weights) });
  const seen = new Set<string>();
  for (const { name } of contents) {
    if (!isFileName(name)) fail('checkpoint', `"${name}" is not a file name. Give names without directories.`);
    if (seen.has(name)) fail('checkpoint', `two contents are given for ${name}. Give one.`);
    seen.add(name);
  }
  const last = (name: string) => Number(name === 'config.json');
  contents.sort((a, b) => last(a.name) - last(b.name));
  await writeFilesWhole(directory, contents, 'checkpoint');
}

function isFileName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && name === path.basename(name) && !name.includes('\0');
}
