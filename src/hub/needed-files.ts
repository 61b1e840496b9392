import path from 'node:path';
import { fail } from '../errors.js';

type Kind = 'config' | 'settings' | 'vocabulary';

/** Every file beside the weights that a model is loaded from, or refused by. */
const companions: Readonly<Record<string, Kind>> = {
  'config.json': 'config',
  'generation_config.json': 'settings',
  'model_args.json': 'settings',
  'tokenizer_config.json': 'settings',
  'special_tokens_map.json': 'settings',
  'added_tokens.json': 'settings',
  'tokenizer.json': 'vocabulary',
  'vocab.json': 'vocabulary',
  'vocab.txt': 'vocabulary',
  'merges.txt': 'settings',
  'source.spm': 'vocabulary',
  'target.spm': 'settings',
  'target_vocab.json': 'settings',
  'sentencepiece.bpe.model': 'vocabulary',
  'spiece.model': 'vocabulary',
  'tokenizer.model': 'vocabulary',
  // Never read: that it is there says that a Marian model needs other preprocessing.
  'source.bpe': 'settings',
};

/** Where weights may lie, best first. An index names the files that hold them. */
const weightLayouts = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
];

/** The folders of the two models of a generic encoder-decoder, as Simple Transformers saves it. */
const halves = ['encoder', 'decoder'];

/** The folders of a RAG's tokenizers, beside weights that lie at the top. */
const tokenizerFolders = ['question_encoder_tokenizer', 'generator_tokenizer'];

/** Where files of a repository are looked up: on the hub, or in the cache. */
export interface FileSource {
  has(file: string): Promise<boolean>;
  /** The text of a small file that it has. */
  read(file: string): Promise<string>;
}

/** What a folder has of a model. */
interface ModelFolder {
  readonly companions: readonly string[];
  /** The weights file, or the index and its shards; undefined where there are none. */
  readonly weights: readonly string[] | undefined;
}

export interface NeededFiles {
  readonly companions: readonly string[];
  /** To be fetched after all else, so that a snapshot with weights is complete. */
  readonly weights: readonly string[];
  /** A configuration, weights and a vocabulary are there: what makes a model. Undefined, or what is missing. */
  readonly missing: string | undefined;
}

/** The files of a model, in the folder itself or in `encoder/` and `decoder/`, with one set of weights each. */
export async function neededFiles(source: FileSource): Promise<NeededFiles> {
  const top = await modelFolder(source, '');
  if (top.weights)
    return needed([top], ...(await Promise.all(tokenizerFolders.map((folder) => tokenizerFolder(source, folder)))));
  const sides = await Promise.all(halves.map((folder) => modelFolder(source, folder)));
  if (sides.some((side) => hasKind(side, 'config'))) return needed(sides, top);
  return needed([top]);
}

/** Whether a file is one that {@link neededFiles} takes weights, or their index, from. */
export function isWeightsFile(file: string): boolean {
  return weightLayouts.includes(path.posix.basename(file));
}

async function modelFolder(source: FileSource, folder: string): Promise<ModelFolder> {
  const place = (name: string) => path.posix.join(folder, name);
  // First by itself: its answer tells which commit the others are to be of.
  if (!(await source.has(place('config.json'))) && folder !== '') return { companions: [], weights: undefined };
  const names = Object.keys(companions).map(place);
  const present = await Promise.all(names.map((name) => source.has(name)));
  return { companions: names.filter((_, i) => present[i]), weights: await weightsOf(source, place) };
}

async function tokenizerFolder(source: FileSource, folder: string): Promise<ModelFolder> {
  const place = (name: string) => path.posix.join(folder, name);
  if (!(await source.has(place('tokenizer_config.json')))) return { companions: [], weights: undefined };
  const names = Object.keys(companions).map(place);
  const present = await Promise.all(names.map((name) => source.has(name)));
  return { companions: names.filter((_, i) => present[i]), weights: undefined };
}

async function weightsOf(source: FileSource, place: (name: string) => string): Promise<string[] | undefined> {
  for (const layout of weightLayouts.map(place)) {
    if (!(await source.has(layout))) continue;
    if (!layout.endsWith('.index.json')) return [layout];
    return [
      layout,
      ...shardsOf(layout, await source.read(layout)).map((shard) => path.posix.join(path.posix.dirname(layout), shard)),
    ];
  }
  return undefined;
}

/** The files that an index names: `{"weight_map": {weight: file}}`. */
function shardsOf(index: string, text: string): string[] {
  let map: unknown;
  try {
    map = (JSON.parse(text) as { weight_map?: unknown } | null)?.weight_map;
  } catch {}
  const shards = typeof map === 'object' && map !== null ? [...new Set<unknown>(Object.values(map))] : [];
  const isName = (shard: unknown): shard is string => typeof shard === 'string' && /^[^/\\]+$/.test(shard);
  if (shards.length === 0 || !shards.every(isName)) {
    return fail('hub', `${index} does not say which files hold the weights. Tell the owner of the repository.`);
  }
  return shards.sort();
}

function needed(folders: readonly ModelFolder[], ...beside: readonly ModelFolder[]): NeededFiles {
  const all = [...beside, ...folders];
  return {
    companions: all.flatMap((folder) => folder.companions),
    weights: folders.flatMap((folder) => folder.weights ?? []),
    missing: missingIn(folders),
  };
}

function missingIn(folders: readonly ModelFolder[]): string | undefined {
  if (!folders.every((folder) => hasKind(folder, 'config'))) return 'config.json';
  if (!folders.every((folder) => folder.weights)) return `weights (${weightLayouts.join(', ')})`;
  return undefined;
}

/** Whether every folder with weights has a vocabulary beside them: then nothing was left out when it was fetched. */
export function hasVocabulary({ companions: present, weights }: NeededFiles): boolean {
  const folders = new Set(weights.map((file) => path.posix.dirname(file)));
  const withVocabulary = present.filter((file) => companions[path.posix.basename(file)] === 'vocabulary');
  const has = (folder: string) => withVocabulary.some((file) => path.posix.dirname(file) === folder);
  return tokenizerFolders.every(has) || [...folders].every(has);
}

function hasKind(folder: ModelFolder, kind: Kind): boolean {
  return folder.companions.some((file) => companions[path.posix.basename(file)] === kind);
}
