import path from 'node:path';
import { Command } from 'commander';
import type { Seq2SeqArgs } from '../args/index.js';
import { parseArgs } from '../args/index.js';
import { stopSignal, unlessStopped, usage } from './failure.js';
import { addArgsFlags, givenArgs } from './flags.js';
import { addDownloadFlags, downloadOptions } from './model.js';

interface BuildFlags {
  readonly knowledgeDataset?: string;
  readonly dprCtxEncoderModelName?: string;
  readonly index?: string;
  readonly indexUrl?: string;
  readonly overwrite?: boolean;
}

interface SearchFlags {
  readonly questionEncoder?: string;
  readonly ragQuestionEncoderModelName?: string;
  readonly index?: string;
  readonly indexUrl?: string;
  readonly indexPath?: string;
  readonly n?: string;
  readonly json?: boolean;
}

/** `seq2seq index build` and `seq2seq index search`. */
export function indexCommand(): Command {
  return new Command('index')
    .description('Build and search the knowledge of a rag-token or rag-sequence.')
    .addCommand(buildCommand())
    .addCommand(searchCommand());
}

function buildCommand(): Command {
  const command = new Command('build')
    .description('Embed a TSV file of titles and texts, or take a dataset, and index it in --output-dir.')
    .option(
      '--knowledge-dataset <place>',
      'TSV file of titles and texts, or directory of a dataset with embeddings (required)',
    )
    .option(
      '--dpr-ctx-encoder-model-name <name>',
      'directory or hub id of the context encoder of a TSV file: a DPR or BERT',
    )
    .option('--index <name>', 'pgvector puts the passages into a database instead')
    .option('--index-url <url>', 'of an index pgvector: postgres://user:password@host/database')
    .option('--overwrite', 'replaces passages of an earlier time in the database');
  addArgsFlags(addDownloadFlags(command), ['Retrieval', 'outputDir', 'encoding', 'threads', 'silent']);
  return command.action(build);
}

async function build(flags: BuildFlags, command: Command): Promise<void> {
  const { knowledgeDataset, indexUrl, index, overwrite = false } = flags;
  const args = parseArgs(givenArgs(command));
  if (knowledgeDataset === undefined) usage('index build', 'of which texts? Give --knowledge-dataset FILE.');
  requireIndex('index build', index, indexUrl);
  const signal = stopSignal();
  const { buildKnowledgeOf, loadIntoDatabase } = await import('../rag-knowledge.js');
  const work = async () => {
    const options = { ...flags, knowledgeDataset };
    const knowledge = await buildKnowledgeOf(options, await surroundings(args, command, signal));
    try {
      if (indexUrl === undefined) return knowledge.description;
      await loadIntoDatabase(knowledge, { url: indexUrl }, { overwrite, silent: args.silent, signal });
      return `${knowledge.count} passages in the database`;
    } finally {
      await knowledge.close();
    }
  };
  process.stdout.write(`${await unlessStopped(work(), signal)}\n`);
}

function searchCommand(): Command {
  const command = new Command('search')
    .description('Print the passages of DIRECTORY that are nearest to a question, with their scores.')
    .argument('[directory]', 'of a dataset with its index, or of a model that has one')
    .argument('[question]')
    .option(
      '--rag-question-encoder-model-name <name>',
      'directory or hub id of a question encoder, or of a whole RAG [DIRECTORY, if it is a RAG]',
    )
    .option('--index <name>', 'pgvector searches a database instead; leave DIRECTORY out')
    .option('--index-url <url>', 'of an index pgvector: postgres://user:password@host/database')
    .option('--index-path <file>', 'Faiss index of the dataset [hf_dataset_index.faiss in it]')
    .option('-n <count>', 'passages [5]')
    .option('--json', 'print one JSON object');
  addArgsFlags(addDownloadFlags(command), ['Retrieval', 'threads', 'silent']);
  return command.action(search);
}

async function search(
  directory: string | undefined,
  question: string | undefined,
  flags: SearchFlags,
  command: Command,
): Promise<void> {
  const { index, indexUrl, n = '5', json } = flags;
  requireIndex('index search', index, indexUrl);
  const [place, asked] =
    indexUrl !== undefined && question === undefined ? [undefined, directory] : [directory, question];
  if (asked === undefined)
    usage('index search', 'which question? Give a directory and a question: seq2seq index search DIR "…".');
  const count = Number(n);
  if (!Number.isInteger(count) || count < 1)
    usage('-n', `${n} is no number of passages. Give a whole number, at least 1.`);
  const args = parseArgs(givenArgs(command));
  const signal = stopSignal();
  const { searchKnowledge } = await import('../rag-knowledge.js');
  const options = { ...flags, indexName: index, knowledgeDataset: place };
  const work = async () => searchKnowledge(options, asked, count, await surroundings(args, command, signal));
  const found = await unlessStopped(work(), signal);
  if (json) process.stdout.write(`${JSON.stringify({ question: asked, documents: found })}\n`);
  else
    for (const { title, text, score } of found)
      process.stdout.write(`${score.toFixed(4)}\t${oneLine(title)}\t${oneLine(text)}\n`);
}

const oneLine = (text: string) => text.replace(/\s+/g, ' ');

function requireIndex(area: string, index: string | undefined, indexUrl: string | undefined): void {
  if (index !== undefined && index !== 'pgvector' && index !== 'custom') {
    usage(area, `--index is ${index}; it is pgvector, or is left out.`);
  }
  if ((index === 'pgvector') !== (indexUrl !== undefined)) {
    usage(area, 'an index pgvector needs --index pgvector and --index-url postgres://user:password@host/database.');
  }
}

async function surroundings(args: Seq2SeqArgs, command: Command, signal: AbortSignal) {
  const { resolveModel } = await import('../hub/index.js');
  const hub = { ...downloadOptions(command), silent: args.silent, signal };
  const find = (name: string) => resolveModel(name, hub);
  return { args: { ...args, outputDir: path.resolve(args.outputDir) }, modelDirectory: undefined, find, signal };
}
