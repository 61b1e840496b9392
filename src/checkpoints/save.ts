import path from 'node:path';
import { fail } from '../errors.js';
import { halves, isConfig, staleFiles } from './layout.js';
import { safetensorsPieces, type TensorToSave } from './safetensors.js';
import { type FileContent, folderOf, toBytes, writeFilesWhole } from './write-whole.js';

/** A model, whole: files of an earlier one that are not among these are removed where it is saved. */
export interface CheckpointContent {
  /** config.json, generation_config.json, tokenizer files, … by name, with a folder before it or none: encoder/config.json. */
  readonly files: ReadonlyMap<string, string | Uint8Array>;
  /**
   * By the file they go to: model.safetensors, or encoder/model.safetensors and decoder/model.safetensors. All are held at
   * once, as views; the data must stay unchanged until the save is done.
   */
  readonly weights?: ReadonlyMap<string, Iterable<TensorToSave>>;
}

/**
 * Saves a directory that Python's Transformers, or of a model in two folders Simple Transformers, loads. Where it does not
 * exist, it appears complete or not at all. In an existing one every file is whole; weights follow the files they do not
 * depend on, and config.json, without which nothing loads, comes last: a save cut off between the renames shows old
 * configuration with new weights at worst (which differ in shape, if they do not belong together), and where no checkpoint was
 * before, none. Halves of different saves could fit each other and would go unnoticed, so of a model in two folders
 * encoder/config.json is missing between the renames: cut off there, nothing loads. Then goes what an earlier model left.
 */
export async function saveCheckpoint(directory: string, { files, weights }: CheckpointContent): Promise<void> {
  const contents: FileContent[] = [
    ...[...files].map(([name, bytes]) => ({ name, pieces: [toBytes(bytes)] })),
    ...[...(weights ?? [])].map(([name, tensors]) => ({ name, pieces: safetensorsPieces(tensors) })),
  ];
  const seen = new Set<string>();
  for (const { name } of contents) {
    if (!isName(name))
      fail('checkpoint', `"${name}" is not a file name. Give names with one folder before them or none.`);
    if (seen.has(name)) fail('checkpoint', `two contents are given for ${name}. Give one.`);
    seen.add(name);
  }
  for (const { name } of contents) {
    if (seen.has(folderOf(name)))
      fail('checkpoint', `${folderOf(name)} is a file and the folder of ${name}. Rename one.`);
  }
  const gate = contents.find(({ name }) => folderOf(name) !== '' && isConfig(name))?.name;
  const rank = (name: string) => Number(isConfig(name)) + Number(name === gate);
  contents.sort((a, b) => rank(a.name) - rank(b.name));
  const stale = weights ? staleFiles(directory, seen) : [];
  await writeFilesWhole(directory, contents, { area: 'checkpoint', gate, stale, folders: halves });
}

function isName(name: string): boolean {
  const parts = name.split('/');
  const isPart = (part: string) =>
    part !== '' && part !== '.' && part !== '..' && part === path.basename(part) && !part.includes('\0');
  return parts.length <= 2 && parts.every(isPart);
}
