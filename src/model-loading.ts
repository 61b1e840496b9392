import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fromPythonJson, type Seq2SeqArgsInput } from './args/index.js';
import {
  type Checkpoint,
  checkFinite,
  checkpointLayout,
  matchWeights,
  openCheckpoint,
  readJsonObject,
  type Weight,
} from './checkpoints/index.js';
import type { Tokenizers } from './data/index.js';
import { fail } from './errors.js';
import {
  type AddedSpecialTokens,
  changedConfig,
  checkVocabulary,
  joinedConfig,
  joinedRagConfig,
  type ModelParts,
  withSpecialIds,
  withSpecialTokens,
} from './model-parts.js';
import { type ModelType, modelTypes } from './model-types.js';
import {
  architectureOf,
  blockShapes,
  type JsonObject,
  type ModelPart,
  ModelWeights,
  QUANTIZED,
  quantizedMatrices,
  type Seq2SeqArchitecture,
  type StoredMatrix,
} from './models/index.js';
import { type Bits, quantizedBits } from './quantization.js';
import { asDpr } from './rag/index.js';
import { loadTokenizer } from './tokenizers/index.js';

export const ARGS_FILE = 'model_args.json';
const GENERATION_FILE = 'generation_config.json';
/** The folders of a RAG's tokenizers: of questions, and of answers. */
export const RAG_TOKENIZERS = ['question_encoder_tokenizer', 'generator_tokenizer'] as const;

/** The directories of a model: one, or one for each half of a generic encoder-decoder. */
export type ModelPlace =
  | { readonly whole: string }
  | { readonly encoder: string; readonly decoder: string; readonly top?: string }
  | { readonly questionEncoder: string; readonly generator: string };

export interface LoadSettings {
  readonly type: ModelType;
  /** Values of config.json to override. */
  readonly changes: JsonObject;
  /** Of weights that the checkpoint does not have. */
  readonly seed: number;
  readonly specialTokens: AddedSpecialTokens;
  readonly tokenizers: TokenizerSettings;
}

export interface TokenizerSettings {
  /** The directory of the tokenizers, if not the model's. */
  readonly directory?: string | undefined;
  /** Their family, if not that of the model's type. */
  readonly family?: string | undefined;
  readonly doLowerCase?: boolean | undefined;
}

export interface LoadedModel {
  readonly parts: ModelParts;
  /** What a user should know about the checkpoint, a line each. */
  readonly warnings: readonly string[];
}

/** Reads a model in one of the layouts of Transformers and Simple Transformers. */
export function loadModel(asked: ModelPlace, settings: LoadSettings): LoadedModel {
  const { type, changes, seed, specialTokens } = settings;
  const place = halvesOf(asked);
  const opened = open(place);
  try {
    const described = changedConfig(withOwnHead(opened), changes);
    // Before the tokenizers, whose complaints would hide that the type is another.
    architectureOf(described, type, opened.name);
    const tokenizers = loadTokenizers(tokenizerPlaces(place, type), type, settings.tokenizers);
    const config = withSpecialIds(described, tokenizers);
    const architecture = architectureOf(config, type, opened.name);
    checkVocabulary(tokenizers, architecture);
    const { weights, warnings } = readWeights(architecture, opened.halves, seed, quantizedBits(config));
    const parts = { architecture, weights, tokenizers, config, generationConfig: opened.generationConfig };
    return { parts: withSpecialTokens(parts, specialTokens, seed), warnings };
  } finally {
    for (const { checkpoint } of opened.halves) checkpoint.close();
  }
}

/** Reads the weights of a saved model into a model like it. */
export function restoreWeights(directory: string, { architecture, weights }: ModelParts): void {
  const { halves, name } = open(halvesOf({ whole: directory }));
  try {
    const { fresh, unexpected } = readInto(weights, architecture, halves);
    const strange = [...fresh, ...unexpected];
    if (strange.length === 0) return;
    fail(
      'checkpoint',
      `${name} does not hold the weights of this model: ${strange.length} are missing or unknown, ${strange[0]} among them. ` +
        'Give the model that the run was started with.',
    );
  } finally {
    for (const { checkpoint } of halves) checkpoint.close();
  }
}

/** The options saved with a model, to be layered under the caller's, and a line for each that is left out. */
export function savedArgs(directory: string): { args: Seq2SeqArgsInput; warnings: readonly string[] } {
  const file = path.join(directory, ARGS_FILE);
  if (!existsSync(file)) return { args: {}, warnings: [] };
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    fail(ARGS_FILE, `${file} is not valid JSON: ${(error as Error).message}. Restore the file, or remove it.`, error);
  }
  return fromPythonJson(json);
}

/** Tokenizers for both sides; a model of one name has one for both, if they are of one family. */
export function loadTokenizers(
  places: { readonly source: string; readonly target: string },
  type: ModelType,
  { directory, family, doLowerCase }: TokenizerSettings,
): Tokenizers {
  const { source, target } = directory === undefined ? places : sidesOf(directory);
  const { source: sourceType, target: targetType } = tokenizerTypes(type);
  const sourceFamily = family ?? sourceType;
  const targetFamily = targetType ?? sourceFamily;
  const encoder = loadTokenizer(source, sourceFamily, { doLowerCase });
  if (source === target && sourceFamily === targetFamily) return { source: encoder, target: encoder };
  return { source: encoder, target: loadTokenizer(target, targetFamily, { doLowerCase }) };
}

/** The families of tokenizers that a type has; without one for the target it is the source's. */
function tokenizerTypes(type: ModelType): { readonly source: string; readonly target?: string } {
  if (modelTypes[type] === 'rag') return { source: 'bert', target: 'bart' };
  return modelTypes[type] === 'encoder-decoder' ? { source: type, target: 'bert' } : { source: type };
}

/** A directory with the folders encoder/ and decoder/ as the two places that it is. */
function halvesOf(place: ModelPlace): ModelPlace {
  if (!('whole' in place) || checkpointLayout(place.whole) === 'single') return place;
  return { ...folders(place.whole), top: place.whole };
}

function tokenizerPlaces(place: ModelPlace, type: ModelType): { source: string; target: string } {
  if ('generator' in place) return { source: place.questionEncoder, target: place.generator };
  if (!('whole' in place)) return { source: place.encoder, target: place.decoder };
  if (modelTypes[type] === 'rag') {
    const [source, target] = RAG_TOKENIZERS.map((folder) => path.join(place.whole, folder));
    return { source: source!, target: target! };
  }
  return modelTypes[type] === 'encoder-decoder' ? sidesOf(place.whole) : { source: place.whole, target: place.whole };
}

/** The folders encoder/ and decoder/ where a directory has both, else the directory for both sides. */
function sidesOf(directory: string): { source: string; target: string } {
  const { encoder, decoder } = folders(directory);
  return existsSync(encoder) && existsSync(decoder)
    ? { source: encoder, target: decoder }
    : { source: directory, target: directory };
}

const folders = (directory: string) => ({
  encoder: path.join(directory, 'encoder'),
  decoder: path.join(directory, 'decoder'),
});

interface OpenedModel {
  /** What messages call it. */
  readonly name: string;
  readonly config: JsonObject;
  readonly generationConfig: JsonObject | undefined;
  readonly halves: readonly { readonly folder: ModelPart['folder']; readonly checkpoint: Checkpoint }[];
}

function open(place: ModelPlace): OpenedModel {
  if ('whole' in place) {
    const checkpoint = openCheckpoint(place.whole);
    const { config, generationConfig } = checkpoint;
    return { name: place.whole, config, generationConfig, halves: [{ folder: '', checkpoint }] };
  }
  if ('generator' in place) return openRagPieces(place);
  const encoder = openCheckpoint(place.encoder);
  try {
    const decoder = openCheckpoint(place.decoder);
    return {
      name: place.top ?? place.encoder,
      config: joinedConfig(encoder.config, decoder.config),
      // Written beside the two folders by this package; one within a folder is about the half alone.
      generationConfig: place.top === undefined ? undefined : generationConfigBeside(place.top),
      halves: [
        { folder: 'encoder', checkpoint: encoder },
        { folder: 'decoder', checkpoint: decoder },
      ],
    };
  } catch (error) {
    encoder.close();
    throw error;
  }
}

/** A question encoder and a generator that are to be one model. */
function openRagPieces({ questionEncoder, generator }: Extract<ModelPlace, { generator: string }>): OpenedModel {
  const first = openCheckpoint(questionEncoder);
  try {
    const encoder = asDpr(first, 'question', questionEncoder);
    const second = openCheckpoint(generator);
    return {
      name: generator,
      config: joinedRagConfig(encoder.config, second.config),
      generationConfig: second.generationConfig,
      halves: [
        { folder: 'question_encoder', checkpoint: encoder },
        { folder: 'generator', checkpoint: second },
      ],
    };
  } catch (error) {
    first.close();
    throw error;
  }
}

/**
 * Transformers does not tie the head of a RagSequenceForGeneration to the embeddings when it loads one, so that after training
 * the two may have grown apart: then it is read as one of its own.
 */
function withOwnHead({ config, halves: [first] }: OpenedModel): JsonObject {
  const weights = first!.checkpoint.weights;
  const [embeddings, head] = ['model.shared', 'lm_head'].map((name) => weights.get(`rag.generator.${name}.weight`));
  if (config.model_type !== 'rag' || !embeddings || !head || head.shape.join() !== embeddings.shape.join())
    return config;
  const [a, b] = [embeddings, head].map((weight) => {
    const values = new Float32Array(weight.shape.reduce((product, size) => product * size, 1));
    weight.read(values);
    return values;
  });
  const isTied = a!.every((value, i) => value === b![i]);
  return isTied ? config : changedConfig(config, { generator: { tie_word_embeddings: false } });
}

function generationConfigBeside(directory: string): JsonObject | undefined {
  const file = path.join(directory, GENERATION_FILE);
  return existsSync(file) ? readJsonObject(file) : undefined;
}

/** Reads what the files hold; `fresh` are weights they do not have. */
function readInto(
  weights: ModelWeights,
  architecture: Seq2SeqArchitecture,
  halves: OpenedModel['halves'],
  seed = 0,
): { fresh: string[]; unexpected: string[] } {
  const isWhole = halves.length === 1;
  if (!isWhole && architecture.parts.length === 1 && !architecture.sources) failSizes(halves);
  const missing: string[] = [];
  const unexpected: string[] = [];
  const matched = new Map<string, Weight>();
  for (const { folder, checkpoint } of halves) {
    const part = partIn(architecture, folder);
    const prefix = part && !isWhole ? part.prefix : '';
    const expected = architecture.parameters
      .filter(({ name }) => name.startsWith(prefix) && !weights.quantized.has(name))
      .map((spec) => without(prefix, spec));
    const others = [...checkpoint.weights].filter(([name]) => !isOfQuantized(prefix + name, weights));
    const found = matchWeights(new Map(others), expected, {
      architecture: folder === '' ? architecture.type : `the ${folder} of ${architecture.type}`,
      basePrefix: part?.basePrefix,
    });
    missing.push(...found.missing.map((name) => prefix + name));
    unexpected.push(...found.unexpected);
    for (const [name, weight] of found.matched) matched.set(prefix + name, weight);
  }
  weights.initialize(seed, (name) => !matched.has(name));
  for (const [name, weight] of matched) {
    if (weight.dtype === 'uint8' || weight.dtype === 'int8') {
      fail(
        'checkpoint',
        `${name} holds whole numbers of 8 bits, but config.json has no quantization_config that says what they mean. Restore it.`,
      );
    }
    const array = weights.array(name);
    weight.read(array);
    if (!weights.isFinite(name)) checkFinite(name, array);
  }
  return { fresh: missing.filter((name) => !weights.specs.get(name)!.buffer), unexpected };
}

function partIn({ parts, sources = [] }: Seq2SeqArchitecture, folder: ModelPart['folder']): ModelPart | undefined {
  return [...parts, ...sources].find((each) => each.folder === folder);
}

/** Reads the matrices that a quantized checkpoint keeps in few bits, of which none may be missing. */
function readQuantized(
  architecture: Seq2SeqArchitecture,
  halves: OpenedModel['halves'],
  bits: Bits,
): Map<string, StoredMatrix> {
  const stored = new Map(
    halves.flatMap(({ folder, checkpoint }) => {
      const part = partIn(architecture, folder);
      const prefix = part && halves.length > 1 ? part.prefix : '';
      return [...checkpoint.weights].map(([name, weight]) => [prefix + name, weight] as const);
    }),
  );
  const found = new Map<string, StoredMatrix>();
  for (const [name, { shape, blocks }] of quantizedMatrices(architecture, bits)) {
    const { rows, scales: scalesShape } = blockShapes(shape, blocks);
    const bytesOf = (each: string, dtype: string, expected: readonly number[]): Weight => {
      const weight = stored.get(each);
      if (weight && weight.dtype === dtype && String(weight.shape) === String(expected)) return weight;
      const is = weight ? `is ${weight.dtype} [${weight.shape.join(', ')}]` : 'is missing';
      return fail(
        'checkpoint',
        `${each} of the quantized ${architecture.type} ${is}; it must be ${dtype} [${expected.join(', ')}]. Quantize the model again.`,
      );
    };
    const values = new Uint8Array(rows[0]! * rows[1]!);
    const scales = new Float32Array(scalesShape[0]! * scalesShape[1]!);
    bytesOf(name, 'uint8', rows).readBytes(values);
    bytesOf(`${name}${QUANTIZED.scales}`, 'float32', scalesShape).read(scales);
    checkFinite(`${name}${QUANTIZED.scales}`, scales);
    found.set(name, { blocks, shape, values, scales });
  }
  return found;
}

function readWeights(
  architecture: Seq2SeqArchitecture,
  halves: OpenedModel['halves'],
  seed: number,
  bits: Bits | undefined,
) {
  const quantized = bits === undefined ? undefined : readQuantized(architecture, halves, bits);
  const weights = new ModelWeights(architecture.parameters, quantized);
  const { fresh, unexpected } = readInto(weights, architecture, halves, seed);
  const warnings: string[] = [];
  if (fresh.length > 0) {
    warnings.push(
      `model: ${fresh.length} weights that the checkpoint does not have start fresh, from seed ${seed}; train before you predict: ` +
        `${byLayers(fresh).join(', ')}.`,
    );
  }
  if (unexpected.length > 0) {
    const named = `${unexpected.slice(0, 5).join(', ')}${unexpected.length > 5 ? ', …' : ''}`;
    warnings.push(
      `checkpoint: ${unexpected.length} weights have no place in a ${architecture.type} and are left out: ${named}.`,
    );
  }
  return { weights, warnings };
}

function isOfQuantized(name: string, { quantized }: ModelWeights): boolean {
  return (
    quantized.has(name) || (name.endsWith(QUANTIZED.scales) && quantized.has(name.slice(0, -QUANTIZED.scales.length)))
  );
}

function without<T extends { readonly name: string; readonly aliases?: readonly string[] }>(
  prefix: string,
  spec: T,
): T {
  if (prefix === '') return spec;
  const strip = (name: string) => name.slice(prefix.length);
  return { ...spec, name: strip(spec.name), ...(spec.aliases && { aliases: spec.aliases.map(strip) }) };
}

/** Names that differ in their layer alone become one: `layer.0.x`, `layer.1.x` → `layer.0…1.x`. */
function byLayers(names: readonly string[]): string[] {
  const layers = new Map<string, number[]>();
  for (const name of names) {
    const [, before, layer, after] = /^(.*\.layer\.)(\d+)(\..*)$/.exec(name) ?? [];
    const pattern = layer === undefined ? name : `${before}*${after}`;
    layers.set(pattern, [...(layers.get(pattern) ?? []), ...(layer === undefined ? [] : [Number(layer)])]);
  }
  return [...layers].map(([pattern, numbers]) => {
    const [first, last] = [numbers[0], numbers.at(-1)];
    return pattern.replace('*', first === last ? `${first}` : `${first}…${last}`);
  });
}

function failSizes(halves: OpenedModel['halves']): never {
  const [encoder, decoder] = halves.map(({ checkpoint: { config } }) => config.hidden_size ?? config.dim);
  return fail(
    'model',
    `the encoder is ${encoder} wide (hidden_size) and the decoder ${decoder}: the decoder's cross-attention cannot look at it. ` +
      'Choose two of the same size.',
  );
}
