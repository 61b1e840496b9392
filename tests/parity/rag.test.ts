import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { tableFromIPC } from 'apache-arrow';
import { afterAll, describe, expect, it } from 'vitest';
import { parseArgs } from '../../src/args/index.js';
import { GenerationPrograms } from '../../src/generation/index.js';
import { KernelPool } from '../../src/kernels/index.js';
import { loadModel } from '../../src/model-loading.js';
import { Predictor } from '../../src/model-prediction.js';
import { PLANES } from '../../src/models/index.js';
import { type Knowledge, Retriever } from '../../src/rag/index.js';
import { createRagBatch, GradientProgram } from '../../src/training/index.js';
import { isKeyBias, readReference } from './reference-model.js';

const fixtures = fileURLToPath(new URL('../fixtures/rag', import.meta.url));

interface Expected {
  n_docs: number;
  documents: { question: number[]; ids: number[]; scores: number[]; contexts: number[][] }[];
  loss: number;
  losses: number[];
  smoothed_loss: number;
  generation: Record<string, { arguments: Record<string, unknown>; sequences: number[][][]; texts: string[][] }>;
  duplicated?: Record<string, number[][][]>;
  masked?: Record<string, number[][][]>;
}

/** The fixture's passages, searched by comparing all of them. */
function plainKnowledge(): Knowledge {
  const table = tableFromIPC(readFileSync(path.join(fixtures, 'knowledge_dataset', 'data-00000-of-00001.arrow')));
  const rows = table.toArray().map((row) => ({ ...row.toJSON(), vector: Float32Array.from(row.embeddings) }));
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  return {
    description: 'the fixture',
    count: rows.length,
    dimension: 16,
    async search(queries, k) {
      const ids = new Float64Array((queries.length / 16) * k);
      for (let q = 0; q < queries.length / 16; q++) {
        const query = queries.subarray(q * 16, (q + 1) * 16);
        const order = rows.map((_, i) => i).sort((a, b) => dot(query, rows[b]!.vector) - dot(query, rows[a]!.vector));
        ids.set(order.slice(0, k), q * k);
      }
      return { ids, scores: new Float32Array(ids.length) };
    },
    passages: async (ids) => Array.from(ids, (id) => ({ title: rows[id]!.title, text: rows[id]!.text })),
    vectors: async (ids) => Float32Array.from(Array.from(ids, (id) => [...rows[id]!.vector]).flat()),
    close: async () => {},
  };
}

const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

describe.each(['token', 'sequence'] as const)('rag-%s', (kind) => {
  const directory = path.join(fixtures, kind);
  const reference = readReference(directory);
  const expected = reference.expected as Expected;
  const type = `rag-${kind}` as const;
  const { parts } = loadModel({ whole: directory }, { type, changes: {}, seed: 0, specialTokens: {}, tokenizers: {} });
  const { architecture, weights, tokenizers } = parts;
  const retrieval = architecture.retrieval!;
  const retriever = new Retriever({ knowledge: plainKnowledge(), retrieval, weights, tokenizers, threads: 2 });
  const pool = new KernelPool(1);
  const programs = new GenerationPrograms(architecture, weights, 2);
  const rows = readFileSync(path.join(directory, 'train.tsv'), 'utf8').trimEnd().split('\n').slice(1);
  const examples = rows.map((row) => {
    const [source, target] = row.split('\t') as [string, string];
    return { source: tokenizers.source.encode(source), target: tokenizers.target.encode(target) };
  });
  afterAll(async () => {
    retriever.dispose();
    programs.dispose();
    reference.close();
    await pool.dispose();
  });

  it('finds the documents, with their scores, and puts the question behind them', async () => {
    const found = await retriever.find(expected.documents.map(({ question }) => Int32Array.from(question)));
    for (const [i, { ids, scores, contexts }] of expected.documents.entries()) {
      expect(found[i]!.documents.map(({ id }) => id)).toEqual(ids);
      for (const [d, score] of scores.entries()) {
        expect(Math.abs(found[i]!.documents[d]!.score - score)).toBeLessThan(1e-5 * Math.max(1, Math.abs(score)));
      }
      expect(found[i]!.contexts.map((context) => [...context])).toEqual(contexts);
    }
  });

  it('has the loss and the gradient of every weight', async () => {
    const found = await retriever.find(examples.map(({ source }) => source));
    const batch = createRagBatch(examples, found, architecture, retrieval);
    const program = new GradientProgram(architecture, weights, { seed: 0, threads: 2, pool });
    const loss = await program.run(batch, 0, false);
    expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-5);
    const names = reference.names.filter((name) => name.startsWith('gradient.'));
    expect(names.map((name) => name.slice('gradient.'.length)).sort()).toEqual([...program.trainable].sort());
    for (const name of names) {
      const gradient = weights.planes.array(name.slice('gradient.'.length), PLANES.gradients);
      const wanted = reference.array(name);
      const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const difference = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - gradient[i]!)), 0);
      if (isKeyBias(name)) expect(difference, name).toBeLessThan(1e-4);
      else expect(difference / largest, name).toBeLessThan(1e-4);
    }
    program.dispose();
  });

  it('smooths labels', async () => {
    const found = await retriever.find(examples.map(({ source }) => source));
    const batch = createRagBatch(examples, found, architecture, retrieval);
    const program = new GradientProgram(architecture, weights, { seed: 0, threads: 2, pool, labelSmoothing: 0.1 });
    expect(Math.abs((await program.run(batch, 0, false)) / expected.smoothed_loss - 1)).toBeLessThan(1e-5);
    program.dispose();
  });

  it.each([1, 3])('has the loss of each question, batches of %d', async (size) => {
    const found = await retriever.find(examples.map(({ source }) => source));
    const program = new GradientProgram(architecture, weights, { seed: 0, threads: 2, pool });
    for (let start = 0; start < examples.length; start += size) {
      const own = examples.slice(start, start + size);
      const batch = createRagBatch(own, found.slice(start, start + size), architecture, retrieval, 0.5);
      const wanted = expected.losses.slice(start, start + size).reduce((a, b) => a + b) / 2;
      expect(Math.abs((await program.run(batch, 0, false)) / wanted - 1)).toBeLessThan(1e-5);
    }
    program.dispose();
  });

  const questions = readFileSync(path.join(directory, 'input.txt'), 'utf8').trimEnd().split('\n');
  describe.each(Object.entries(expected.generation))('answers as %s', (name, setting) => {
    const args = Object.fromEntries(Object.entries(setting.arguments).map(([key, value]) => [camel(key), value]));

    it.each([1, 4, 100])('in batches of %d', async (evalBatchSize) => {
      const settings = parseArgs({
        ...{ lengthPenalty: 1, numBeams: 1, earlyStopping: false },
        ...args,
        evalBatchSize,
      });
      const predictor = new Predictor({ ...parts, retriever }, settings, programs);
      const predictions = await predictor.predict(questions);
      expect(predictions.map(({ answers }) => answers.map(({ ids }) => [...ids]))).toEqual(setting.sequences);
      expect(predictions.map(({ answers }) => answers.map(({ text }) => text))).toEqual(setting.texts);
      expect(predictions.map(({ documents }) => documents!.map(({ id }) => id))).toEqual(
        expected.documents.map(({ ids }) => ids),
      );
    });

    it.runIf(kind === 'sequence')('with padding hidden', async () => {
      const settings = parseArgs({
        ...{ lengthPenalty: 1, numBeams: 1, earlyStopping: false },
        ...args,
        ragHidePadding: true,
      });
      const predictor = new Predictor({ ...parts, retriever }, settings, programs);
      const predictions = await predictor.predict(questions);
      expect(predictions.map(({ answers }) => answers.map(({ ids }) => [...ids]))).toEqual(expected.masked![name]);
    });

    it.runIf(kind === 'sequence')('without putting equal answers together', async () => {
      const settings = parseArgs({ ...{ lengthPenalty: 1, numBeams: 1, earlyStopping: false }, ...args });
      const changed = { ...architecture, retrieval: { ...retrieval, deduplicates: false } };
      const predictor = new Predictor({ ...parts, architecture: changed, retriever }, settings, programs);
      const predictions = await predictor.predict(questions);
      const found = predictions.map(({ answers }) => answers.map(({ ids }) => [...ids]));
      expect(found).toEqual(expected.duplicated![name]);
    });
  });
});
