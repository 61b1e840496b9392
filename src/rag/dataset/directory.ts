import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { type JsonValue, readJsonObject } from '../../checkpoints/index.js';
import { fail } from '../../errors.js';

// A dataset on disk: state.json names the Arrow files and is written last, dataset_info.json describes them.

export const STATE = 'state.json';
export const INFO = 'dataset_info.json';
/** In a directory of Transformers' RagRetriever.save_pretrained, and the index beside it. */
const INNER = 'hf_dataset';
const INDEX = 'hf_dataset_index.faiss';
const SPLITS = 'dataset_dict.json';
const remedy = 'Save the dataset again with save_to_disk, or copy it again.';

export interface FoundDataset {
  /** The directory that holds the dataset itself. */
  readonly dataset: string;
  /** The file of its Faiss index, where one lies inside or beside it. */
  readonly index: string | undefined;
}

/** The dataset in a directory: the directory itself, or `hf_dataset` in it. */
export function findDataset(directory: string): FoundDataset {
  const stats = statSync(directory, { throwIfNoEntry: false });
  if (!stats) fail('knowledge', `there is no dataset at ${directory}: it does not exist. Check the path.`);
  if (!stats.isDirectory()) {
    fail(
      'knowledge',
      `${directory} is a file, where a dataset is a directory. Give the directory that holds state.json.`,
    );
  }
  const inner = path.join(directory, INNER);
  const dataset = [directory, inner].find((place) => existsSync(path.join(place, STATE)));
  if (dataset === undefined) return refuseOther(directory);
  const index = [dataset, path.dirname(path.resolve(dataset))]
    .map((place) => path.join(place, INDEX))
    .find((place) => existsSync(place));
  return { dataset, index };
}

function refuseOther(directory: string): never {
  const splits = path.join(directory, SPLITS);
  if (existsSync(splits)) {
    const { splits: names } = readJsonObject(splits, { area: 'knowledge' });
    const places = Array.isArray(names) ? names.map((name) => path.join(directory, String(name))) : [];
    fail(
      'knowledge',
      `${directory} holds several datasets (a DatasetDict). Give one of them: ${places.join(', ') || `those that ${splits} should name`}.`,
    );
  }
  const isDataset = readdirSync(directory).some((name) => name === INFO || name.endsWith('.arrow'));
  return fail(
    'knowledge',
    isDataset
      ? `${directory} has no ${STATE}, which is written last: the dataset in it was not saved to its end. ${remedy}`
      : `${directory} is no dataset: it has no ${STATE}. Give a directory that the datasets library saved, or a TSV file.`,
  );
}

/** The paths of a dataset's Arrow files, in order. */
export function dataFiles(dataset: string): string[] {
  const place = path.join(dataset, STATE);
  const state = readJsonObject(place, { area: 'knowledge' });
  for (const key of ['_indices_data_files', '_indices_files']) {
    const indices = state[key];
    if (indices === undefined || indices === null || (Array.isArray(indices) && indices.length === 0)) continue;
    fail(
      'knowledge',
      `${dataset} is a selection of rows (${key} in ${STATE}). Save it as its own rows: dataset.flatten_indices().save_to_disk(…) in Python.`,
    );
  }
  const files = state._data_files;
  if (!Array.isArray(files))
    return fail('knowledge', `${place} does not name the Arrow files (_data_files). ${remedy}`);
  if (files.length === 0)
    fail('knowledge', `${place} names no Arrow files: the dataset is empty. Give one with passages.`);
  return files.map((entry) => {
    const name = fileName(entry);
    if (name === undefined) {
      return fail(
        'knowledge',
        `${place} names ${JSON.stringify(entry)} where the name of an Arrow file is due. ${remedy}`,
      );
    }
    const file = path.join(dataset, name);
    if (!existsSync(file)) {
      fail('knowledge', `${file} is missing, one of the ${files.length} Arrow files that ${STATE} names. ${remedy}`);
    }
    return file;
  });
}

/** The name of an entry, of a file in the directory itself. */
function fileName(entry: JsonValue): string | undefined {
  const name = typeof entry === 'object' && entry !== null && !Array.isArray(entry) ? entry.filename : undefined;
  return typeof name === 'string' && name !== '' && !/^\.\.?$|[/\\]/.test(name) ? name : undefined;
}
