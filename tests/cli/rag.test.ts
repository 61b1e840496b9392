import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Postgres, startPostgres } from '../postgres.js';
import { temporaryFolder } from '../support.js';
import { runIn } from './program.js';

const rag = (...path: string[]) => fileURLToPath(new URL(['../fixtures/rag', ...path].join('/'), import.meta.url));
const folder = temporaryFolder();
const expected = JSON.parse(readFileSync(rag('token', 'expected.json'), 'utf8')) as {
  documents: { ids: number[]; scores: number[] }[];
  generation: { beams: { texts: string[][] } };
};
const model = ['--encoder-decoder-type', 'rag-token', '--encoder-decoder-name', rag('token')];
const texts = ['--knowledge-dataset', rag('knowledge.tsv'), '--dpr-ctx-encoder-model-name', rag('context_encoder')];

const seq2seq = (args: readonly string[], input?: string) =>
  runIn(folder, args, { ...(input !== undefined && { input }) });

function done(args: readonly string[], input?: string): string {
  const { status, stdout, stderr } = seq2seq(args, input);
  expect(status, stderr).toBe(0);
  return stdout;
}

const questions = readFileSync(rag('token', 'input.txt'), 'utf8');
const beams = ['--max-length', '14', '--num-beams', '3', '--length-penalty', '2', '--early-stopping'];

function holdAnswers(lines: string): void {
  const answers = lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { outputs: string[]; documents: { id: number; score: number }[] });
  expect(answers.map(({ outputs }) => outputs)).toEqual(expected.generation.beams.texts);
  expect(answers.map(({ documents }) => documents.map(({ id }) => id))).toEqual(
    expected.documents.map(({ ids }) => ids),
  );
}

describe('seq2seq index', () => {
  it('builds what search and predict look in', () => {
    const flags = ['--output-dir', 'planets', '--split-text-n', '12', '--faiss-index-type', 'IndexHNSWFlat'];
    expect(done(['index', 'build', ...texts, ...flags])).toContain('planets (IndexHNSWFlat (inner product), 24 × 16)');
    expect(existsSync(join(folder, 'planets', 'hf_dataset_index.faiss'))).toBe(true);

    const search = ['index', 'search', 'planets', questions.split('\n')[0]!, '-n', '3'];
    const own = ['--rag-question-encoder-model-name', rag('token')];
    const { documents } = JSON.parse(done([...search, ...own, '--json'])) as {
      documents: { id: number; score: number }[];
    };
    expect(documents.map(({ id }) => id)).toEqual(expected.documents[0]!.ids);
    for (const [i, { score }] of documents.entries()) expect(score).toBeCloseTo(expected.documents[0]!.scores[i]!, 3);
    const lines = done([...search, ...own])
      .trimEnd()
      .split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^-?\d+\.\d{4}\tWhale\tthe sea/);
    expect(seq2seq(search).stderr).toContain('which embedded the passages, stands in for it');

    const predict = ['predict', ...model, '--knowledge-dataset', 'planets', ...beams, '--json', '--silent'];
    holdAnswers(done(predict, questions));
  });

  it('searches in the directory of a model', () => {
    const train = [
      'train',
      ...model,
      '--knowledge-dataset',
      rag('knowledge_dataset'),
      '--train-data',
      rag('token', 'train.tsv'),
    ];
    done([...train, '--max-steps', '1', '--output-dir', 'trained', '--silent']);
    const lines = done(['index', 'search', 'trained', 'which planet is red']).trimEnd().split('\n');
    expect(lines).toHaveLength(5);
    const evaluate = ['eval', '--encoder-decoder-type', 'rag-token', '--encoder-decoder-name', 'trained', '--silent'];
    expect(done([...evaluate, '--eval-data', rag('token', 'eval.tsv'), '--json'])).toMatch(/"eval_loss":\d/);
  });

  it('tells what is missing or wrong, with code 2', () => {
    const said = (...args: string[]) => {
      const { status, stderr } = seq2seq(args);
      expect(status).toBe(2);
      return stderr;
    };
    expect(said('index')).toContain('which command?');
    expect(said('index', 'build')).toContain('of which texts? Give --knowledge-dataset FILE.');
    expect(said('index', 'search', 'planets')).toContain('which question?');
    expect(said('index', 'search', 'planets', 'x', '-n', 'a')).toContain('is no number of passages');
    expect(said('index', 'build', ...texts, '--index', 'pgvector')).toContain('needs --index pgvector and --index-url');
    expect(said('predict', ...model, '--index', 'pgvectr')).toContain('Did you mean pgvector?');
    expect(said('predict', '--encoder-decoder-type', 'rag-token')).toContain(
      'a rag-token is loaded, not started fresh',
    );
  });
});

const server: Postgres | undefined = await startPostgres();

describe.skipIf(server === undefined)('with PostgreSQL', () => {
  it('loads, searches and answers over pgvector', async () => {
    const database = ['--index', 'pgvector', '--index-url', server!.url];
    const build = ['index', 'build', '--knowledge-dataset', rag('knowledge_dataset'), ...database];
    expect(done(build)).toContain('24 passages in the database');
    expect(seq2seq(build).stderr).toContain('has a table seq2seq_passages already');
    expect(done([...build, '--overwrite'])).toContain('24 passages in the database');
    const own = ['--rag-question-encoder-model-name', rag('token')];
    expect(
      done(['index', 'search', 'which planet is red', ...database, ...own])
        .trimEnd()
        .split('\n'),
    ).toHaveLength(5);
    holdAnswers(done(['predict', ...model, ...database, ...beams, '--json', '--silent'], questions));
    await server!.stop();
  });
});
