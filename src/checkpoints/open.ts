import path from 'node:path';
import { fail } from '../errors.js';
import { listFiles } from './directory.js';
import { InputFile } from './input-file.js';
import { isJsonObject, type JsonObject, readJsonObject, showJson } from './json.js';
import { failWithoutConfig, weightsFiles } from './layout.js';
import { readSafetensors } from './safetensors.js';
import { readTorchFile } from './torch-file.js';
import type { Weight } from './weight.js';

/** Weights by name, and the open files they are read from. */
export interface OpenWeights {
  readonly weights: ReadonlyMap<string, Weight>;
  close(): void;
}

/** A Hugging Face directory: its configuration in memory, its weights to be read while it is open. */
export interface Checkpoint extends OpenWeights {
  readonly directory: string;
  readonly config: JsonObject;
  readonly generationConfig?: JsonObject;
  /** Names of the directory's other files, such as those of the tokenizer. */
  readonly files: readonly string[];
}

/** Opens a model that lies in the directory itself; of one in two folders ({@link checkpointLayout}), each folder is such a directory. */
export function openCheckpoint(directory: string): Checkpoint {
  const names = listFiles(directory);
  if (!names.includes('config.json')) failWithoutConfig(directory);
  const config = readJsonObject(path.join(directory, 'config.json'));
  const generation = 'generation_config.json';
  const generationConfig = names.includes(generation) ? readJsonObject(path.join(directory, generation)) : undefined;

  const weightsFile =
    weightsFiles.find((name) => names.includes(name)) ??
    fail(
      'checkpoint',
      `${directory} has no weights: none of ${weightsFiles.join(', ')} is among its ${names.length} files. ` +
        'Download one of them, or convert the weights to model.safetensors.',
    );
  const place = path.join(directory, weightsFile);
  const index = weightsFile.endsWith('.index.json') ? readIndex(place) : undefined;
  const { weights, close } = index ? openShards(place, index, names) : openWeights(place);
  const read = new Set(['config.json', generation, weightsFile, ...(index?.values() ?? [])]);
  const files = names.filter((name) => !read.has(name));
  return { directory, config, ...(generationConfig && { generationConfig }), weights, files, close };
}

/** Opens one weights file: *.safetensors, or one that torch.save wrote. */
export function openWeights(place: string): OpenWeights {
  const file = new InputFile(place);
  try {
    refusePointer(file);
    const weights = place.endsWith('.safetensors') ? readSafetensors(file) : readTorchFile(file);
    return { weights: new Map(weights.map((weight) => [weight.name, weight])), close: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Opens the files beside an index; the index must tell of each weight where it is. */
function openShards(place: string, index: ReadonlyMap<string, string>, present: readonly string[]): OpenWeights {
  const names = [...new Set(index.values())];
  const missing = names.filter((name) => !present.includes(name));
  if (missing.length > 0) {
    fail(
      'checkpoint',
      `${place} names ${names.length} files, ${missing.length} of them missing: ${missing.join(', ')}. Download what is missing.`,
    );
  }
  const shards = new Map<string, OpenWeights>();
  const close = () => {
    for (const shard of shards.values()) shard.close();
  };
  try {
    for (const name of names) shards.set(name, openWeights(path.join(path.dirname(place), name)));
    for (const [name, shard] of index) {
      if (!shards.get(shard)!.weights.has(name)) {
        fail('checkpoint', `${place} promises ${name} in ${shard}, which does not hold it. Download both again.`);
      }
    }
    const weights = new Map<string, Weight>();
    for (const [shard, { weights: held }] of shards) {
      for (const [name, weight] of held) {
        if (weights.has(name))
          fail('checkpoint', `${place}: ${shard} and an earlier file both hold ${name}. Download them again.`);
        weights.set(name, weight);
      }
    }
    return { weights, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** The file of each weight, from `{"weight_map": {name: file}}`. */
function readIndex(place: string): Map<string, string> {
  const { weight_map: map } = readJsonObject(place, { uniqueKeys: true });
  if (!isJsonObject(map) || Object.keys(map).length === 0) {
    return fail('checkpoint', `${place} has no weight_map that says which file holds which weight. Download it again.`);
  }
  return new Map(
    Object.entries(map).map(([weight, shard]) => {
      if (typeof shard !== 'string' || shard !== path.basename(shard) || shard.startsWith('.')) {
        return fail(
          'checkpoint',
          `${place} puts ${weight} into ${showJson(shard)}, which is no file beside it. Mend it.`,
        );
      }
      return [weight, shard];
    }),
  );
}

/** Repositories cloned without Git LFS have a short text in place of each large file. */
function refusePointer(file: InputFile): void {
  const start = 'version https://git-lfs';
  if (file.size >= start.length && file.bytes(0, start.length).toString('latin1') === start) {
    file.refuse(
      'is a Git LFS pointer, not the weights',
      'Run "git lfs pull" in its repository, or download the file itself.',
    );
  }
}
