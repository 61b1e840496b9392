import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { checkArgs, parseArgs, type Seq2SeqArgs, type Seq2SeqArgsInput } from './args/index.js';
import type { Tokenizers } from './data/index.js';
import { physicalCores } from './engine/index.js';
import { fail, refuseUnknown } from './errors.js';
import { createFreshModel } from './fresh-model.js';
import { type HubOptions, resolveModel } from './hub/index.js';
import { type ChoiceOptions, chooseModel, type ModelNames } from './model-choice.js';
import { type LoadedModel, loadModel, loadTokenizers, type ModelPlace, savedArgs } from './model-loading.js';
import { type ModelParts, withSpecialTokens } from './model-parts.js';
import type { ModelType } from './model-types.js';
import { quantizeWeights } from './models/index.js';
import { pick } from './pick.js';
import { Retriever } from './rag/index.js';
import { type KnowledgeOptions, type KnowledgeSurroundings, openKnowledge } from './rag-knowledge.js';
import type { NewSpecialTokens, Tokenizer } from './tokenizers/index.js';

/** Which model, and how to get it. Download options are those of the hub's client in Python. */
export interface LoadOptions extends ChoiceOptions, KnowledgeOptions, Omit<HubOptions, 'silent' | 'onProgress'> {
  /** Values of config.json that override the checkpoint's, or that describe a fresh model. */
  config?: Readonly<Record<string, unknown>> | undefined;
  /** Further special tokens of the sources' tokenizer: a list, or by name as in `{ sep_token: '<sep>' }`. */
  additionalSpecialTokensEncoder?: NewSpecialTokens | undefined;
  additionalSpecialTokensDecoder?: NewSpecialTokens | undefined;
  /** The tokenizer of a fresh model, for both sides or for each, instead of the option `tokenizerName`. */
  tokenizer?: Tokenizer | Tokenizers | undefined;
  args?: Seq2SeqArgsInput | undefined;
}

const HUB_OPTIONS = [
  'cacheDir',
  'revision',
  'token',
  'forceDownload',
  'resumeDownload',
  'localFilesOnly',
  'proxies',
  'endpoint',
  'signal',
] as const satisfies (keyof LoadOptions)[];
const KNOWLEDGE_OPTIONS = [
  'knowledgeDataset',
  'indexName',
  'indexPath',
  'indexUrl',
  'dprCtxEncoderModelName',
] as const satisfies (keyof KnowledgeOptions)[];
const LOAD_OPTIONS = [
  'encoderDecoderType',
  'encoderDecoderName',
  'encoderType',
  'encoderName',
  'decoderName',
  'ragQuestionEncoderModelName',
  ...KNOWLEDGE_OPTIONS,
  'config',
  'additionalSpecialTokensEncoder',
  'additionalSpecialTokensDecoder',
  'tokenizer',
  'args',
  ...HUB_OPTIONS,
] as const satisfies (keyof LoadOptions)[];

/** The model that the options ask for, by a directory or a hub id, or fresh; with all options settled. */
export async function obtainModel(options: LoadOptions): Promise<LoadedModel & { readonly args: Seq2SeqArgs }> {
  refuseUnknown('load', options, LOAD_OPTIONS);
  const given = checkArgs(options.args);
  const changes = { ...given.config, ...options.config };
  const { type, names } = chooseModel(options, Object.keys(changes).length > 0);
  const hub = { ...pick(options, ...HUB_OPTIONS), silent: given.silent };
  const find = (name: string) => resolveModel(name, hub);
  const seed = given.manualSeed ?? randomInt(2 ** 32);
  const specialTokens = {
    encoder: options.additionalSpecialTokensEncoder,
    decoder: options.additionalSpecialTokensDecoder,
  };
  if (names.kind === 'fresh') {
    const tokenizers = await freshTokenizers(options.tokenizer, given, type, find);
    const parts = withSpecialTokens(createFreshModel(changes, type, tokenizers, seed), specialTokens, seed);
    return { parts, args: parseArgs({ ...given, modelType: type }), warnings: [] };
  }
  const place = await placeOf(names, find);
  const saved = 'whole' in place ? savedArgs(place.whole) : { args: {}, warnings: [] };
  const layered = { ...saved.args, ...given };
  const tokenizers = { ...tokenizerSettings(layered), directory: await tokenizerDirectory(place, layered, find) };
  const modelName = names.kind === 'halves' ? `${names.encoder}-${names.decoder}` : names.name;
  const args = parseArgs({ ...layered, modelName, modelType: type });
  const { parts, warnings } = loadModel(place, { type, changes, seed, specialTokens, tokenizers });
  const asked = quantizedAsAsked(parts, args);
  const modelDirectory = 'whole' in place ? place.whole : undefined;
  const surroundings = { args, modelDirectory, find, signal: options.signal };
  return {
    parts: await withKnowledge(asked, options, surroundings),
    args,
    warnings: [...saved.warnings, ...warnings],
  };
}

async function placeOf(names: Exclude<ModelNames, { kind: 'fresh' }>, find: Finder): Promise<ModelPlace> {
  switch (names.kind) {
    case 'whole':
      return { whole: await find(names.name) };
    case 'halves':
      return { encoder: await find(names.encoder), decoder: await find(names.decoder) };
    case 'retrieval':
      return { generator: await find(names.name), questionEncoder: await find(names.questionEncoder) };
  }
}

/** Gives a model that retrieves what it retrieves from. */
async function withKnowledge(
  parts: ModelParts,
  options: KnowledgeOptions,
  surroundings: KnowledgeSurroundings,
): Promise<ModelParts> {
  const { architecture, weights, tokenizers } = parts;
  const { retrieval, type } = architecture;
  if (!retrieval) {
    const given = KNOWLEDGE_OPTIONS.find((name) => options[name] !== undefined);
    if (given) fail('model', `${given} is of a rag-token or rag-sequence, not of a ${type}. Leave it out.`);
    return parts;
  }
  const knowledge = await openKnowledge(options, { ...surroundings, needs: retrieval });
  try {
    const threads = surroundings.args.threads ?? physicalCores();
    return { ...parts, retriever: new Retriever({ knowledge, retrieval, weights, tokenizers, threads }) };
  } catch (error) {
    await knowledge.close();
    throw error;
  }
}

/** What `quantizedModel` promises, and what `dynamicQuantize` makes. */
function quantizedAsAsked(parts: ModelParts, { quantizedModel, dynamicQuantize, modelName }: Seq2SeqArgs): ModelParts {
  const { architecture, weights } = parts;
  const isQuantized = weights.bits !== 32;
  if (quantizedModel && !isQuantized) {
    fail('args', `quantizedModel is set, but ${modelName} is not quantized. Make one of it with \`seq2seq quantize\`.`);
  }
  if (!dynamicQuantize || isQuantized) return parts;
  return { ...parts, weights: quantizeWeights(architecture, weights, 8) };
}

type Finder = (name: string) => Promise<string>;

function tokenizerSettings({ tokenizerType, doLowerCase }: Seq2SeqArgsInput) {
  return { family: tokenizerType ?? undefined, doLowerCase };
}

/**
 * Where a checkpoint's tokenizer is, if not beside it. A Marian of Simple Transformers names the model it was trained from,
 * which counts where its own directory has no tokenizer.
 */
async function tokenizerDirectory(
  place: { readonly whole: string } | object,
  { tokenizerName, baseMarianModelName }: Seq2SeqArgsInput,
  find: Finder,
): Promise<string | undefined> {
  if (tokenizerName != null) return find(tokenizerName);
  if (baseMarianModelName == null || !('whole' in place)) return undefined;
  return existsSync(path.join(place.whole, 'vocab.json')) ? undefined : find(baseMarianModelName);
}

async function freshTokenizers(
  tokenizer: Tokenizer | Tokenizers | undefined,
  args: Seq2SeqArgsInput,
  type: ModelType,
  find: Finder,
): Promise<Tokenizers> {
  if (tokenizer) return 'source' in tokenizer ? tokenizer : { source: tokenizer, target: tokenizer };
  const name =
    args.tokenizerName ??
    fail(
      'model',
      'a fresh model needs a tokenizer. Set tokenizerName to a directory, such as `seq2seq tokenizer train` makes from your texts.',
    );
  const directory = await find(name);
  return loadTokenizers({ source: directory, target: directory }, type, { ...tokenizerSettings(args), directory });
}
