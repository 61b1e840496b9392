import { type Command, Option } from 'commander';
import type { HubOptions } from '../hub/index.js';
import type { LoadOptions } from '../index.js';
import { chooseModel } from '../model-choice.js';
import { checkKnowledgeOptions } from '../rag-knowledge.js';
import type { Seq2SeqModel } from '../seq2seq-model.js';
import type { NewSpecialTokens } from '../tokenizers/index.js';
import { asUsage, usage } from './failure.js';
import { givenArgs, isModelConfig, readJsonObject } from './flags.js';

const GROUP = 'Which model:';
const KNOWLEDGE = 'What a rag-token or rag-sequence looks up:';
const DOWNLOAD = 'Models of the hub:';

/** The flags that choose a model, with what each says. */
const selection = {
  '--encoder-decoder-type <type>':
    'type of the model: bart, mbart, mbart50, marian, rag-token, rag-sequence, or as --encoder-type',
  '--encoder-decoder-name <name>': 'directory or hub id of the model, as Hugging Face or this program saves it',
  '--encoder-type <type>': 'type of the encoder: bert, roberta, distilbert, camembert, electra',
  '--encoder-name <name>': 'directory or hub id of an encoder; takes a decoder beside it',
  '--decoder-name <name>': 'directory or hub id of a BERT to decode; what it lacks starts fresh',
  '--model-config <file>': "a model's config.json: alone a model starts fresh from it, with a name it overrides values",
  '--additional-special-tokens-encoder <tokens>': "further special tokens of the sources' tokenizer, as a list or JSON",
  '--additional-special-tokens-decoder <tokens>': "further special tokens of the targets' tokenizer, as a list or JSON",
};

const knowledge = {
  '--knowledge-dataset <place>': 'TSV file of titles and texts, or directory of a dataset [a few built-in passages]',
  '--dpr-ctx-encoder-model-name <name>':
    'directory or hub id of the context encoder that embeds a TSV file: a DPR or BERT',
  '--rag-question-encoder-model-name <name>': 'of the question encoder, where --encoder-decoder-name is a BART alone',
  '--index-name <name>': 'custom (a dataset with its index), hf, legacy or pgvector; also --index [custom]',
  '--index <name>': 'the same as --index-name',
  '--index-path <file>': 'Faiss index of the dataset [hf_dataset_index.faiss in it]',
  '--index-url <url>': 'database of an index pgvector: postgres://user:password@host/database',
};

const download = {
  '--revision <name>': 'branch, tag or commit [main]',
  '--token <token>': 'of a private or gated repository; better in the variable HF_TOKEN',
  '--hub-cache-dir <dir>':
    "directory of the downloads [Python's: HF_HUB_CACHE, HF_HOME/hub or ~/.cache/huggingface/hub]",
  '--force-download': 'download again what is there',
  '--no-resume-download': 'start cut downloads from the beginning',
  '--local-files-only': 'use what was downloaded before, and no network',
  '--proxy <url>': 'proxy for all downloads; otherwise the usual variables count',
};

export function addModelFlags(command: Command): Command {
  addGroup(command, GROUP, selection);
  addGroup(command, KNOWLEDGE, knowledge);
  return addDownloadFlags(command);
}

/** The flags of how files are fetched from the hub. */
export function addDownloadFlags(command: Command): Command {
  return addGroup(command, DOWNLOAD, download);
}

function addGroup(command: Command, group: string, flags: Readonly<Record<string, string>>): Command {
  for (const [flag, description] of Object.entries(flags)) {
    const option = new Option(flag, description).helpGroup(group);
    command.addOption(flag === '--index <name>' ? option.hideHelp() : option);
  }
  return command;
}

/** What the flags of {@link addDownloadFlags} ask for. */
export function downloadOptions(command: Command): HubOptions {
  const values = command.opts<Record<string, string | boolean | undefined>>();
  const text = (name: string) => values[name] as string | undefined;
  return {
    revision: text('revision'),
    token: text('token'),
    cacheDir: text('hubCacheDir'),
    forceDownload: values.forceDownload as boolean | undefined,
    resumeDownload: values.resumeDownload as boolean | undefined,
    localFilesOnly: values.localFilesOnly as boolean | undefined,
    proxies: text('proxy') === undefined ? undefined : { http: text('proxy')!, https: text('proxy')! },
  };
}

/** What the flags and files of a command line ask for. */
function chosenModel(command: Command): LoadOptions {
  const { modelConfig, config, ...values } = command.opts<Record<string, string | boolean | undefined>>();
  const text = (name: string) => values[name] as string | undefined;
  const file = (modelConfig ?? (isModelConfig(config) ? config : undefined)) as string | undefined;
  const flag = modelConfig === undefined ? '--config' : '--model-config';
  const choice: LoadOptions = {
    encoderDecoderType: text('encoderDecoderType'),
    encoderDecoderName: text('encoderDecoderName'),
    encoderType: text('encoderType'),
    encoderName: text('encoderName'),
    decoderName: text('decoderName'),
    config: file === undefined ? undefined : readJsonObject(flag, file),
    additionalSpecialTokensEncoder: specialTokens(
      '--additional-special-tokens-encoder',
      text('additionalSpecialTokensEncoder'),
    ),
    additionalSpecialTokensDecoder: specialTokens(
      '--additional-special-tokens-decoder',
      text('additionalSpecialTokensDecoder'),
    ),
    ragQuestionEncoderModelName: text('ragQuestionEncoderModelName'),
    knowledgeDataset: text('knowledgeDataset'),
    dprCtxEncoderModelName: text('dprCtxEncoderModelName'),
    indexName: text('indexName') ?? text('index'),
    indexPath: text('indexPath'),
    indexUrl: text('indexUrl'),
    ...downloadOptions(command),
  };
  if (choice.encoderDecoderType === undefined && choice.encoderType === undefined) {
    usage(
      command.name(),
      'which model? Give --encoder-decoder-type with --encoder-decoder-name NAME, or --encoder-type with --encoder-name and ' +
        '--decoder-name, or a type with --model-config FILE for a fresh one.',
    );
  }
  asUsage(() => chooseModel(choice, file !== undefined));
  asUsage(() => checkKnowledgeOptions(choice));
  return choice;
}

/** A list `<a>,<b>`, or JSON: a list, or an object of named tokens. */
function specialTokens(flag: string, text: string | undefined): NewSpecialTokens | undefined {
  if (text === undefined || !/^\s*[[{]/.test(text)) return text?.split(',');
  try {
    return JSON.parse(text) as NewSpecialTokens;
  } catch (error) {
    return usage(flag, `${text} is not JSON: ${(error as Error).message}. Give a list of tokens, or valid JSON.`);
  }
}

/** How to load the model that a command line asks for. What was asked is checked at once, and loaded when called. */
export function requestedModel(command: Command): () => Promise<Seq2SeqModel> {
  const args = givenArgs(command);
  const choice = chosenModel(command);
  // Imported late: help and usage errors need no engine.
  return async () => (await import('../seq2seq-model.js')).Seq2SeqModel.load({ ...choice, args });
}

/** Lends the model to `use` and releases it after; not when stopped, for then the engine may still be computing. */
export async function withModel<T>(
  load: () => Promise<Seq2SeqModel>,
  signal: AbortSignal,
  use: (model: Seq2SeqModel) => Promise<T>,
): Promise<T> {
  const model = await load();
  try {
    signal.throwIfAborted();
    return await use(model);
  } finally {
    if (!signal.aborted) model.dispose();
  }
}
