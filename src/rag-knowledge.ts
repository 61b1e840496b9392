import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import type { Seq2SeqArgs } from './args/index.js';
import { readJsonObject } from './checkpoints/index.js';
import { physicalCores } from './engine/index.js';
import { fail, nearest } from './errors.js';
import { loadModel } from './model-loading.js';
import type { Retrieval } from './models/index.js';
import { Progress } from './progress.js';
import {
  buildKnowledge,
  checkKnowledge,
  DprTextEncoder,
  encoderNameOf,
  findDataset,
  type IndexedDataset,
  type IndexSettings,
  type Knowledge,
  loadPgvector,
  openIndexed,
  openLegacyKnowledge,
  openPgvector,
  type PgvectorSettings,
  QuestionEncoder,
  type RetrievedDocument,
  temporaryDirectory,
} from './rag/index.js';

/** Where a model that retrieves looks; names as in Simple Transformers. */
export interface KnowledgeOptions {
  /** A TSV file of titles and texts, or the directory of a dataset. Without it a few built-in passages are used. */
  knowledgeDataset?: string | undefined;
  /** How it is indexed: `custom` (the default), `hf`, `legacy` or `pgvector`. */
  indexName?: string | undefined;
  /** The Faiss index of a dataset, where it does not lie beside it. */
  indexPath?: string | undefined;
  /** Of `pgvector`: the address of the database. */
  indexUrl?: string | undefined;
  /** A DPRContextEncoder, or a BERT: makes vectors of the passages of a TSV file. */
  dprCtxEncoderModelName?: string | undefined;
}

const INDEX_NAMES = ['custom', 'hf', 'legacy', 'pgvector'];
/** In a model's directory. */
export const KNOWLEDGE_FOLDER = 'knowledge_dataset';
/** What loading a model may leave in its output directory. */
export const KNOWLEDGE_FOLDERS = [KNOWLEDGE_FOLDER, `${KNOWLEDGE_FOLDER}.partial`];

export interface KnowledgeSurroundings {
  readonly args: Seq2SeqArgs;
  /** Of the model; undefined when it is put together from others. */
  readonly modelDirectory: string | undefined;
  /** The directory of a name. */
  readonly find: (name: string) => Promise<string>;
  readonly signal?: AbortSignal | undefined;
  /** What the model needs, so that nothing is embedded that it could not use. */
  readonly needs?: Pick<Retrieval, 'size' | 'documents'> | undefined;
}

/** What the options say, as far as it can be told from them alone. */
export function checkKnowledgeOptions({ knowledgeDataset, indexName, indexPath, indexUrl }: KnowledgeOptions): void {
  if (indexName !== undefined && !INDEX_NAMES.includes(indexName)) {
    const meant = nearest(indexName, INDEX_NAMES);
    fail(
      'knowledge',
      `there is no index "${indexName}". ${meant ? `Did you mean ${meant}? ` : ''}Known: ${INDEX_NAMES.join(', ')}.`,
    );
  }
  if (indexName === 'pgvector' && indexUrl === undefined) {
    fail('knowledge', 'an index pgvector needs indexUrl: postgres://user:password@host/database.');
  }
  if (indexUrl !== undefined && indexName !== 'pgvector') {
    fail('knowledge', 'indexUrl is of an index pgvector. Set indexName to pgvector, or leave indexUrl out.');
  }
  const isFile = knowledgeDataset !== undefined && statSync(knowledgeDataset, { throwIfNoEntry: false })?.isFile();
  if (indexPath !== undefined && isFile) {
    fail(
      'knowledge',
      `indexPath is the index of a dataset, but ${knowledgeDataset} is a file of texts. Leave indexPath out.`,
    );
  }
}

/** Opens the knowledge of a model, and makes what is missing of it. */
export async function openKnowledge(
  options: KnowledgeOptions,
  surroundings: KnowledgeSurroundings,
): Promise<Knowledge> {
  checkKnowledgeOptions(options);
  const { indexName, indexPath, indexUrl } = options;
  if (indexName === 'pgvector') return openPgvector({ url: indexUrl! });
  const place = options.knowledgeDataset ?? ownKnowledge(surroundings.modelDirectory);
  if (indexName === 'legacy') {
    const directory =
      indexPath ??
      place ??
      fail('knowledge', 'an index legacy needs indexPath: the directory of the original files of DPR.');
    return openLegacyKnowledge(directory, surroundings.args.threads ?? physicalCores());
  }
  const stats = place === undefined ? undefined : statSync(place, { throwIfNoEntry: false });
  if (place !== undefined && !stats) refuseMissing(place, indexName);
  if (stats?.isDirectory()) {
    const { dataset, index } = findDataset(place!);
    const saves = surroundings.args.saveKnowledgeDataset;
    return openIndexed({ directory: dataset, index: indexPath ?? index, saves }, indexSettings(surroundings));
  }
  if (place === undefined && indexPath !== undefined) {
    fail(
      'knowledge',
      'indexPath is the index of a dataset. Give knowledgeDataset as well: the directory of that dataset.',
    );
  }
  return knowledgeOfTexts(place, options, surroundings);
}

/** What a saved model brings with it. */
function ownKnowledge(modelDirectory: string | undefined): string | undefined {
  const place = modelDirectory && path.join(modelDirectory, KNOWLEDGE_FOLDER);
  return place && existsSync(place) ? place : undefined;
}

function refuseMissing(place: string, indexName: string | undefined): never {
  const isId = /^[\w.-]+(\/[\w.-]+)?$/.test(place);
  const hint =
    indexName === 'hf' && isId
      ? 'Datasets are not fetched from the hub: save it in Python with load_dataset(…).save_to_disk(…), and give that directory.'
      : 'Give a TSV file of titles and texts, or the directory of a dataset.';
  return fail('knowledge', `there is no knowledge dataset at ${place}. ${hint}`);
}

/** Passages of a TSV file, or those that are built in. */
async function knowledgeOfTexts(
  file: string | undefined,
  { dprCtxEncoderModelName }: KnowledgeOptions,
  surroundings: KnowledgeSurroundings,
): Promise<Knowledge> {
  const { args } = surroundings;
  if (file === undefined && !args.silent && dprCtxEncoderModelName !== undefined) {
    process.stderr.write(
      'knowledge: no knowledgeDataset is given; a few built-in passages of general knowledge are used.\n',
    );
  }
  const isKept = file !== undefined && args.saveKnowledgeDataset;
  const folder = isKept ? undefined : await temporaryDirectory();
  const directory = path.join(folder?.directory ?? args.outputDir, KNOWLEDGE_FOLDER);
  return embedTexts(file, dprCtxEncoderModelName, { directory, release: folder?.remove }, surroundings);
}

async function embedTexts(
  file: string | undefined,
  encoderName: string | undefined,
  place: { readonly directory: string; readonly release?: (() => Promise<void>) | undefined },
  surroundings: KnowledgeSurroundings,
): Promise<IndexedDataset> {
  const { args, find } = surroundings;
  const name =
    encoderName ??
    fail(
      'knowledge',
      `${file === undefined ? 'no knowledgeDataset is given, and the built-in passages have' : `${file} has`} no vectors yet. ` +
        'Set dprCtxEncoderModelName to a context encoder that makes them, or knowledgeDataset to a dataset that has them.',
    );
  const settings = indexSettings(surroundings);
  const encoder = DprTextEncoder.load(await find(name), settings.threads);
  try {
    requireSize(args, encoder);
    const checkCount = (passages: number) => {
      const found = { description: file ?? 'the built-in knowledge', dimension: encoder.size, count: passages };
      if (surroundings.needs) checkKnowledge(found, surroundings.needs);
    };
    if (surroundings.needs) checkCount(surroundings.needs.documents);
    const texts = { file, passages: passageOptions(args), batchSize: args.ragEmbedBatchSize };
    return await buildKnowledge({ ...texts, ...place, encoder, encoderName: name, checkCount }, settings);
  } finally {
    encoder.dispose();
  }
}

/** Embeds and indexes texts, or indexes a dataset, in the output directory; into a database, in one that is gone afterwards. */
export async function buildKnowledgeOf(
  { knowledgeDataset, dprCtxEncoderModelName, indexUrl }: KnowledgeOptions & { readonly knowledgeDataset: string },
  surroundings: KnowledgeSurroundings,
): Promise<IndexedDataset> {
  const stats = statSync(knowledgeDataset, { throwIfNoEntry: false });
  if (!stats) refuseMissing(knowledgeDataset, undefined);
  const folder = indexUrl === undefined ? undefined : await temporaryDirectory();
  const directory = folder?.directory ?? surroundings.args.outputDir;
  if (!stats!.isDirectory()) {
    const within = folder ? path.join(directory, KNOWLEDGE_FOLDER) : directory;
    return embedTexts(
      knowledgeDataset,
      dprCtxEncoderModelName,
      { directory: within, release: folder?.remove },
      surroundings,
    );
  }
  const { dataset } = findDataset(knowledgeDataset);
  const settings = indexSettings(surroundings);
  const isHere = path.resolve(dataset) === path.resolve(directory);
  const knowledge = await openIndexed({ directory: dataset, index: undefined, saves: isHere }, settings);
  if (!isHere && indexUrl === undefined) await knowledge.saveTo(directory);
  return knowledge;
}

/** Puts passages and their vectors into a database. */
export async function loadIntoDatabase(
  knowledge: IndexedDataset,
  settings: PgvectorSettings,
  { overwrite, silent, signal }: { overwrite: boolean; silent: boolean; signal?: AbortSignal | undefined },
): Promise<void> {
  const progress = new Progress('Loading', knowledge.count, silent);
  const onProgress = (rows: number) => progress.update(rows);
  await loadPgvector(settings, knowledge.batches(), { dimension: knowledge.dimension, overwrite, onProgress, signal });
  progress.finish();
}

/** The passages that are nearest to a question. */
export async function searchKnowledge(
  options: KnowledgeOptions & { readonly ragQuestionEncoderModelName?: string | undefined },
  question: string,
  count: number,
  surroundings: KnowledgeSurroundings,
): Promise<RetrievedDocument[]> {
  const place = options.knowledgeDataset;
  const model = place !== undefined && isRag(place) ? place : undefined;
  const own = model !== undefined && ownKnowledge(model) !== undefined ? { knowledgeDataset: ownKnowledge(model) } : {};
  const knowledge = await openKnowledge({ ...options, ...own }, surroundings);
  try {
    const vector = await questionVector(
      options.ragQuestionEncoderModelName ?? model,
      question,
      knowledge,
      surroundings,
    );
    if (vector.length !== knowledge.dimension) {
      fail(
        'knowledge',
        `${knowledge.description} has vectors of ${knowledge.dimension} numbers, the question encoder makes ${vector.length}. Use the one that belongs to it.`,
      );
    }
    const { ids, scores } = await knowledge.search(vector, Math.min(count, knowledge.count));
    const found = [...ids].filter((id) => id >= 0);
    const passages = await knowledge.passages(found);
    return found.map((id, i) => ({ id, ...passages[i]!, score: scores[i]! }));
  } finally {
    await knowledge.close();
  }
}

/** By the question encoder that is named, a RAG's or one by itself, or else by what embedded the passages. */
async function questionVector(
  name: string | undefined,
  question: string,
  knowledge: Knowledge,
  { args, find }: KnowledgeSurroundings,
): Promise<Float32Array> {
  const threads = args.threads ?? physicalCores();
  const fallback = 'directory' in knowledge ? encoderNameOf(String(knowledge.directory)) : undefined;
  const directory = await find(
    name ??
      fallback ??
      fail(
        'knowledge',
        'it is not known what embedded these passages. Give the question encoder that belongs to them (--rag-question-encoder-model-name).',
      ),
  );
  if (isRag(directory)) {
    const settings = { type: 'rag-token', changes: {}, seed: 0, specialTokens: {}, tokenizers: {} } as const;
    const { architecture, weights, tokenizers } = loadModel({ whole: directory }, settings).parts;
    const encoder = new QuestionEncoder(architecture.retrieval!, weights, threads);
    const tokens = tokenizers.source.encode(question, { maxLength: architecture.maxSourceLength });
    return encoder.encode([tokens]).finally(() => encoder.dispose());
  }
  if (name === undefined && !args.silent) {
    process.stderr.write(
      `index: no question encoder is given; ${fallback}, which embedded the passages, stands in for it.\n`,
    );
  }
  const encoder = DprTextEncoder.load(directory, threads, name === undefined ? 'context' : 'question');
  return encoder.encode([encoder.tokensOf(question)]).finally(() => encoder.dispose());
}

function isRag(directory: string): boolean {
  const config = path.join(directory, 'config.json');
  return existsSync(config) && readJsonObject(config).model_type === 'rag';
}

export function passageOptions({ splitTextN, splitTextCharacter, includeTitleInCorpus, encoding }: Seq2SeqArgs) {
  return { splitTextN, splitTextCharacter, includeTitle: includeTitleInCorpus, encoding };
}

/** Whether the option `faissD` agrees with what the encoder makes. */
export function requireSize({ faissD }: Seq2SeqArgs, { size }: DprTextEncoder): void {
  if (faissD !== undefined && faissD !== size) {
    fail(
      'knowledge',
      `faissD is ${faissD}, but the context encoder makes vectors of ${size} numbers. Leave faissD out.`,
    );
  }
}

function indexSettings({ args, signal }: Pick<KnowledgeSurroundings, 'args' | 'signal'>): IndexSettings {
  const { faissIndexType, faissM, silent, threads = physicalCores() } = args;
  return { type: faissIndexType, m: faissM, threads, silent, signal };
}
