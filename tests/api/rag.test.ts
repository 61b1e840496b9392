import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tableFromIPC } from 'apache-arrow';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { type LoadOptions, Seq2SeqModel } from '../../src/index.js';
import { copyTree, temporaryFolder } from '../support.js';

const rag = (...path: string[]) => fileURLToPath(new URL(['../fixtures/rag', ...path].join('/'), import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = join(root, 'dist/src/cli/main.js');
const folder = temporaryFolder();
interface Expected {
  documents: { ids: number[]; scores: number[] }[];
  generation: { greedy: { texts: string[][] } };
  eval_losses: number[];
  eval_tokens: number;
  ten_steps: number[];
}
const expectedOf = (kind: string) => JSON.parse(readFileSync(rag(kind, 'expected.json'), 'utf8')) as Expected;
const questions = readFileSync(rag('token', 'input.txt'), 'utf8').trimEnd().split('\n');
const usual = { silent: true, outputDir: join(folder, 'outputs'), maxLength: 14, lengthPenalty: 1, numBeams: 1 };

function load(kind: 'token' | 'sequence', { args, ...options }: LoadOptions = {}): Promise<Seq2SeqModel> {
  return Seq2SeqModel.load({
    encoderDecoderType: `rag-${kind}`,
    encoderDecoderName: rag(kind),
    knowledgeDataset: rag('knowledge_dataset'),
    ...options,
    args: { ...usual, ...args },
  });
}

const message = (work: Promise<unknown>) =>
  work.then(
    () => 'no error',
    (error: Error) => error.message,
  );

/** The columns of a dataset's first file. */
function columns(directory: string) {
  const [file] = readdirSync(directory).filter((name) => name.endsWith('.arrow'));
  const rows = tableFromIPC(readFileSync(join(directory, file!))).toArray();
  return rows.map((row) => ({ title: row.title, text: row.text, embedding: [...row.embeddings] as number[] }));
}

/** Changes the sign of the small numbers in a safetensors file of float32, as those of most weights are. */
function negateSmall(file: string): void {
  const bytes = readFileSync(file);
  for (let at = 8 + Number(bytes.readBigUInt64LE(0)); at < bytes.length; at += 4) {
    const value = bytes.readFloatLE(at);
    if (Math.abs(value) < 0.5) bytes.writeFloatLE(-value, at);
  }
  writeFileSync(file, bytes);
}

describe.each(['token', 'sequence'] as const)('a rag-%s', (kind) => {
  const expected = expectedOf(kind);

  it('answers as Transformers, with documents and scores', async () => {
    const model = await load(kind);
    const { texts, documents, scores } = await model.predict(questions, { documents: true });
    expect(texts).toEqual(expected.generation.greedy.texts.flat());
    expect(documents.map((own) => own.map(({ id }) => id))).toEqual(expected.documents.map((own) => own.ids));
    for (const [i, own] of scores.entries()) {
      for (const [d, score] of own.entries())
        expect(Math.abs(score - expected.documents[i]!.scores[d]!)).toBeLessThan(1e-4);
    }
    expect(documents[0]![0]).toEqual({ ...documents[0]![0], title: expect.any(String), text: expect.any(String) });
    expect(await model.predict(questions)).toEqual(texts);
    model.dispose();
  });

  it('streams answers with what was read for them', async () => {
    const model = await load(kind);
    const found: unknown[] = [];
    for await (const { index, answers, documents } of model.predict(questions, { stream: true })) {
      found[index] = [answers[0]!.text, documents!.map(({ id }) => id)];
    }
    const texts = expected.generation.greedy.texts.flat();
    expect(found).toEqual(expected.documents.map((own, i) => [texts[i], own.ids]));
    model.dispose();
  });

  it('has the loss of Transformers, whatever the batch', async () => {
    for (const evalBatchSize of [1, 3]) {
      const model = await load(kind, { args: { evalBatchSize } });
      const { eval_loss, eval_nll } = await model.evalModel(rag(kind, 'eval.tsv'));
      const sum = expected.eval_losses.reduce((a, b) => a + b);
      expect(Math.abs(eval_nll! - sum)).toBeLessThan(1e-4);
      expect(Math.abs(eval_loss - sum / expected.eval_tokens)).toBeLessThan(1e-4);
      model.dispose();
    }
  });

  it('trains as Transformers, and is saved whole', async () => {
    const outputDir = join(folder, `trained-${kind}`);
    const losses: number[] = [];
    const args = {
      outputDir,
      numTrainEpochs: 10,
      trainBatchSize: 8,
      learningRate: 1e-3,
      manualSeed: 1,
      warmupRatio: 0,
    };
    const constant = { scheduler: 'constant_schedule', saveModelEveryEpoch: false } as const;
    const model = await load(kind, { args: { ...args, ...constant } });
    await model.trainModel(rag(kind, 'train.tsv'), { onStep: ({ loss }) => losses.push(loss) });
    for (const [step, loss] of expected.ten_steps.entries())
      expect(Math.abs(losses[step]! / loss - 1)).toBeLessThan(2e-4);
    const answers = await model.predict(questions);
    model.dispose();

    const again = await load(kind, { encoderDecoderName: outputDir, knowledgeDataset: undefined });
    expect(await again.predict(questions)).toEqual(answers);
    again.dispose();
    expect(readdirSync(join(outputDir, 'knowledge_dataset')).sort()).toContain('hf_dataset_index.faiss');
  });
});

describe('knowledge', () => {
  const tsv = { knowledgeDataset: rag('knowledge.tsv'), dprCtxEncoderModelName: rag('context_encoder') };

  it('is embedded from a TSV file as Python does it, whatever the batch', async () => {
    const wanted = columns(rag('knowledge_dataset'));
    for (const ragEmbedBatchSize of [1, 5]) {
      const outputDir = join(folder, `embedded-${ragEmbedBatchSize}`);
      const model = await load('token', { ...tsv, args: { splitTextN: 12, ragEmbedBatchSize, outputDir } });
      const found = columns(join(outputDir, 'knowledge_dataset'));
      expect(found.map(({ title, text }) => [title, text])).toEqual(wanted.map(({ title, text }) => [title, text]));
      for (const [row, { embedding }] of wanted.entries()) {
        for (const [i, value] of embedding.entries()) {
          expect(Math.abs(found[row]!.embedding[i]! - value)).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)));
        }
      }
      expect(await model.predict(questions)).toEqual(expectedOf('token').generation.greedy.texts.flat());
      model.dispose();
    }
  });

  it('is embedded anew by another encoder, and only then', async () => {
    const outputDir = join(folder, 'other-encoder');
    const other = copyTree(rag('context_encoder'), join(folder, 'negated'));
    negateSmall(join(other, 'model.safetensors'));
    const embedded = async (dprCtxEncoderModelName: string) => {
      const model = await load('token', { ...tsv, dprCtxEncoderModelName, args: { outputDir } });
      model.dispose();
      const directory = join(outputDir, 'knowledge_dataset');
      // The state of a dataset has a random mark, which stays as long as the dataset does.
      return { mark: readFileSync(join(directory, 'state.json'), 'utf8'), rows: columns(directory) };
    };
    const first = await embedded(rag('context_encoder'));
    expect(await embedded(rag('context_encoder'))).toEqual(first);
    const second = await embedded(other);
    expect(second.rows[0]!.embedding).not.toEqual(first.rows[0]!.embedding);
    expect(await embedded(other)).toEqual(second);
  });

  it.each(['IndexFlatIP', 'IndexFlatL2', 'IndexHNSWFlat'] as const)('is indexed as an %s', async (faissIndexType) => {
    const outputDir = join(folder, faissIndexType);
    const model = await load('token', { ...tsv, args: { outputDir, faissIndexType, faissM: 8, faissD: 16 } });
    const bytes = readFileSync(join(outputDir, 'knowledge_dataset', 'hf_dataset_index.faiss'));
    const fourcc = { IndexFlatIP: 'IxFI', IndexFlatL2: 'IxF2', IndexHNSWFlat: 'IHNf' }[faissIndexType];
    expect(bytes.toString('latin1', 0, 4)).toBe(fourcc);
    const { documents } = await model.predict(questions, { documents: true });
    for (const own of documents) expect(new Set(own.map(({ id }) => id)).size).toBe(3);
    model.dispose();
  });

  it("is searched through Faiss's own graph", async () => {
    const model = await load('token', { indexPath: rag('hnsw.faiss') });
    const { documents } = await model.predict(questions, { documents: true });
    expect(documents.map((own) => own.map(({ id }) => id))).toEqual(
      expectedOf('token').documents.map((own) => own.ids),
    );
    model.dispose();
  });

  it('is not kept where the options say so, and titles may be left out', async () => {
    const outputDir = join(folder, 'unsaved');
    const texts = join(folder, 'texts.tsv');
    writeFileSync(texts, 'one passage about cats\nanother about dogs\na third about the sea\n');
    const model = await load('token', {
      ...tsv,
      knowledgeDataset: texts,
      args: { outputDir, saveKnowledgeDataset: false, includeTitleInCorpus: false },
    });
    expect(existsSync(outputDir)).toBe(false);
    const { documents } = await model.predict(['cats'], { documents: true });
    expect(documents[0]!.every(({ title }) => title === '')).toBe(true);
    model.dispose();
  });

  it('is saved with checkpoints where the options say so', async () => {
    const outputDir = join(folder, 'with-checkpoints');
    const args = { outputDir, saveKnowledgeDatasetWithCheckpoints: true, maxSteps: 1 };
    const model = await load('token', { args });
    await model.trainModel(rag('token', 'train.tsv'));
    const [checkpoint] = readdirSync(outputDir).filter((name) => name.startsWith('checkpoint-'));
    expect(readdirSync(join(outputDir, checkpoint!, 'knowledge_dataset'))).toContain('state.json');
    model.dispose();
  });

  it('is a few built-in passages where none is given, and that is said', async () => {
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const { dprCtxEncoderModelName } = tsv;
    const model = await load('token', { knowledgeDataset: undefined, dprCtxEncoderModelName, args: { silent: false } });
    expect(said.mock.calls.flat().join('')).toContain('a few built-in passages of general knowledge are used');
    said.mockRestore();
    const { documents } = await model.predict(['what is the capital of italy'], { documents: true });
    expect(documents[0]).toHaveLength(3);
    model.dispose();
  });

  it('splits texts by other characters', async () => {
    const outputDir = join(folder, 'split');
    const model = await load('token', { ...tsv, args: { outputDir, splitTextN: 1, splitTextCharacter: '.' } });
    expect(columns(join(outputDir, 'knowledge_dataset')).length).toBe(20);
    model.dispose();
  });

  it('goes on where embedding was killed', async () => {
    const outputDir = join(folder, 'killed');
    const big = join(folder, 'big.tsv');
    writeFileSync(
      big,
      Array.from({ length: 9000 }, (_, i) => `title ${i}\tthe ${i}th passage of the blue whale\n`).join(''),
    );
    const flags = ['index', 'build', '--knowledge-dataset', big, '--output-dir', outputDir];
    const run = () => spawn(process.execPath, [cli, ...flags, '--dpr-ctx-encoder-model-name', rag('context_encoder')]);
    const partial = `${outputDir}.partial`;
    const first = run();
    await vi.waitFor(() => expect(readdirSync(partial)).toContain('part-00001.arrow'), {
      timeout: 60_000,
      interval: 5,
    });
    first.kill('SIGKILL');
    await new Promise((resolve) => first.once('exit', resolve));
    const parts = readdirSync(partial).filter((name) => name.startsWith('part-')).length;
    expect(existsSync(outputDir)).toBe(false);
    const second = run();
    let said = '';
    second.stderr.on('data', (chunk) => {
      said += chunk;
    });
    expect(await new Promise((resolve) => second.once('exit', resolve))).toBe(0);
    expect(said).toContain('9000/9000');
    expect(parts).toBeGreaterThan(1);

    const whole = join(folder, 'whole');
    const model = await load('token', { ...tsv, knowledgeDataset: big, args: { outputDir: whole } });
    model.dispose();
    for (const name of readdirSync(outputDir)) {
      if (name === 'state.json') continue;
      const other = join(whole, 'knowledge_dataset', name);
      expect(readFileSync(join(outputDir, name)).equals(readFileSync(other)), name).toBe(true);
    }
  }, 120_000);
});

describe('a model of parts', () => {
  const parts = join(folder, 'parts');

  beforeAll(() => mkdirSync(parts));

  it('takes a generator and a BERT for its question encoder', async () => {
    const bert = fileURLToPath(new URL('../fixtures/encoder-decoder/bert/encoder', import.meta.url));
    const generator = fileURLToPath(new URL('../fixtures/bart/base', import.meta.url));
    const model = await Seq2SeqModel.load({
      encoderDecoderType: 'rag-sequence',
      encoderDecoderName: generator,
      ragQuestionEncoderModelName: bert,
      dprCtxEncoderModelName: bert,
      knowledgeDataset: rag('knowledge.tsv'),
      args: { ...usual, outputDir: join(parts, 'knowledge'), config: { n_docs: 2 } },
    });
    const { documents } = await model.predict(['the cat sat'], { documents: true });
    expect(documents[0]).toHaveLength(2);
    const saved = join(parts, 'saved');
    await model.saveModel(saved);
    const again = await Seq2SeqModel.load({
      encoderDecoderType: 'rag-sequence',
      encoderDecoderName: saved,
      args: { silent: true },
    });
    expect((await again.predict(['the cat sat'], { documents: true })).documents).toEqual(documents);
    for (const each of [model, again]) each.dispose();
  });
});

describe.each(['token', 'sequence'] as const)('what other models do, a rag-%s does', (kind) => {
  it('in 8 bits, saved and loaded', async () => {
    const model = await load(kind);
    const directory = join(folder, `quantized-${kind}`);
    await model.saveQuantized(directory);
    const quantized = await load(kind, { encoderDecoderName: directory });
    const { texts, documents } = await quantized.predict(questions, { documents: true });
    expect(texts.every((text) => typeof text === 'string')).toBe(true);
    const whole = await model.predict(questions, { documents: true });
    expect(documents[0]!.map(({ id }) => id)).toEqual(whole.documents[0]!.map(({ id }) => id));
    for (const each of [model, quantized]) each.dispose();
  });

  it('with further special tokens, trained and saved', async () => {
    const special = { additionalSpecialTokensEncoder: ['<q>'], additionalSpecialTokensDecoder: ['<a>'] };
    const model = await load(kind, special);
    const outputDir = join(folder, `special-${kind}`);
    await model.trainModel([{ input_text: '<q> which planet is red', target_text: '<a> Mars' }], { outputDir });
    const again = await load(kind, { encoderDecoderName: outputDir });
    expect(await again.predict(['<q> which planet'])).toEqual(await model.predict(['<q> which planet']));
    expect(again.encoderTokenizer.idOf('<q>')).toBeDefined();
    for (const each of [model, again]) each.dispose();
  });

  it('evaluates while it trains, by metrics of its answers', async () => {
    const outputDir = join(folder, `evaluated-${kind}`);
    const args = { outputDir, evaluateDuringTraining: true, metrics: ['exactMatch'], maxSteps: 2 } as const;
    const model = await load(kind, { args });
    const evalData = rag(kind, 'eval.tsv');
    const { progressScores } = await model.trainModel(rag(kind, 'train.tsv'), { evalData });
    expect(progressScores.at(-1)).toMatchObject({ eval_loss: expect.any(Number), eval_nll: expect.any(Number) });
    model.dispose();
  });

  it('goes on with a run that was stopped, to the bit', async () => {
    const args = { numTrainEpochs: 4, trainBatchSize: 4, manualSeed: 3 };
    const whole = await load(kind, { args: { ...args, outputDir: join(folder, `run-${kind}`) } });
    await whole.trainModel(rag(kind, 'train.tsv'));
    const outputDir = join(folder, `stopped-${kind}`);
    const stop = new AbortController();
    const first = await load(kind, { args: { ...args, outputDir } });
    const onStep = ({ step }: { step: number }) => step === 3 && stop.abort(new Error('stopped'));
    await expect(first.trainModel(rag(kind, 'train.tsv'), { onStep, signal: stop.signal })).rejects.toThrow('stopped');
    const second = await load(kind, { args: { ...args, outputDir } });
    await second.trainModel(rag(kind, 'train.tsv'), { resumeFromCheckpoint: true });
    const weights = (place: string) => readFileSync(join(folder, place, 'model.safetensors'));
    expect(weights(`stopped-${kind}`).equals(weights(`run-${kind}`))).toBe(true);
    for (const each of [whole, first, second]) each.dispose();
  });
});

it('a rag-sequence has more answers than beams, of several documents', async () => {
  const model = await load('sequence', { args: { numBeams: 2, numReturnSequences: 4 } });
  const [answers] = await model.predict(['what is the capital of italy'], { scores: true });
  expect(new Set(answers!.map(({ ids }) => ids.join())).size).toBe(4);
  const scores = answers!.map(({ score }) => score!);
  expect(scores).toEqual(scores.toSorted((a, b) => b - a));
  model.dispose();
});

describe('bad input', () => {
  const copy = (name: string) => copyTree(rag('knowledge_dataset'), join(folder, name));

  it('names what does not belong together, before any long work', async () => {
    expect(await message(load('token', { knowledgeDataset: undefined }))).toContain('Set dprCtxEncoderModelName');
    expect(await message(load('token', { knowledgeDataset: 'none' }))).toContain(
      'there is no knowledge dataset at none',
    );
    expect(await message(load('token', { indexName: 'costum' }))).toContain('Did you mean custom?');
    expect(await message(load('token', { indexName: 'pgvector' }))).toContain('needs indexUrl');
    expect(await message(load('token', { indexUrl: 'postgres://x/y' }))).toContain('is of an index pgvector');
    expect(await message(load('token', { indexName: 'hf', knowledgeDataset: 'wiki_dpr' }))).toContain(
      'not fetched from the hub',
    );
    expect(await message(load('token', { indexName: 'legacy', indexPath: folder }))).toContain('psgs_w100.tsv.pkl');
    const tsv = { knowledgeDataset: rag('knowledge.tsv'), dprCtxEncoderModelName: rag('context_encoder') };
    expect(await message(load('token', { ...tsv, args: { faissD: 768 } }))).toContain('makes vectors of 16 numbers');
    expect(await message(load('token', { ...tsv, indexPath: 'x' }))).toContain('is a file of texts');
    expect(await message(load('token', { ...tsv, dprCtxEncoderModelName: rag('token') }))).toContain('is a DPR');
    const other = fileURLToPath(new URL('../fixtures/encoder-decoder/distilbert/encoder', import.meta.url));
    expect(await message(load('token', { ...tsv, dprCtxEncoderModelName: other }))).toContain('holds a distilbert');
    const few = { ...tsv, args: { outputDir: join(folder, 'few'), config: { n_docs: 30 }, splitTextN: 12 } };
    expect(await message(load('token', few))).toContain('has 24 passages, but n_docs is 30');
    expect(existsSync(join(folder, 'few'))).toBe(false);
    expect(await message(load('token', { args: { config: { n_docs: 30 } } }))).toContain(
      'has 24 passages, but n_docs is 30',
    );
    expect(await message(load('token', { args: { config: { max_combined_length: 500 } } }))).toContain(
      'has 64 positions',
    );
    const bart = fileURLToPath(new URL('../fixtures/bart/base', import.meta.url));
    expect(await message(load('token', { encoderDecoderName: bart }))).toContain('not a rag-token');
    const plain = { encoderDecoderType: 'bart', encoderDecoderName: bart, knowledgeDataset: 'x' };
    expect(await message(Seq2SeqModel.load(plain))).toContain('knowledgeDataset is of a rag-token or rag-sequence');
  });

  it('names an index of another dimension or count, or one that is cut', async () => {
    const index = fileURLToPath(new URL('../fixtures/faiss/flat_ip.faiss', import.meta.url));
    expect(await message(load('token', { indexPath: index }))).toContain('it has 160 vectors');
    const cut = copy('cut');
    const bytes = readFileSync(join(cut, 'hf_dataset_index.faiss'));
    writeFileSync(join(cut, 'hf_dataset_index.faiss'), bytes.subarray(0, 700));
    expect(await message(load('token', { knowledgeDataset: cut }))).toContain('ends at byte 700');
  });

  it('names what a dataset lacks', async () => {
    const cut = copy('cut-dataset');
    writeFileSync(join(cut, 'state.json'), '{"_data_files": [{"filename": "data-00000-of-00009.arrow"}]}');
    expect(await message(load('token', { knowledgeDataset: cut }))).toContain('data-00000-of-00009.arrow is missing');
    const nan = copy('nan');
    const file = join(nan, 'data-00000-of-00001.arrow');
    const bytes = readFileSync(file);
    const value = Buffer.alloc(4);
    value.writeFloatLE(columns(nan)[2]!.embedding[3]!);
    bytes.writeFloatLE(Number.NaN, bytes.indexOf(value));
    writeFileSync(file, bytes);
    rmSync(join(nan, 'hf_dataset_index.faiss'));
    expect(await message(load('token', { knowledgeDataset: nan }))).toMatch(/row 2 .*NaN|NaN.* row 2/);
  });

  it('says what cannot be streamed, quantized or given', async () => {
    const model = await load('sequence');
    const stream = model.predict(questions, { stream: 'text' });
    expect(await message(stream.next())).toContain('chooses between whole answers');
    expect(await message(model.exportOnnx(join(folder, 'onnx')))).toContain(
      'looks documents up, which ONNX files cannot',
    );
    model.dispose();
    const bart = fileURLToPath(new URL('../fixtures/bart/base', import.meta.url));
    const plain = await Seq2SeqModel.load({
      encoderDecoderType: 'bart',
      encoderDecoderName: bart,
      args: { silent: true },
    });
    expect(await message(plain.predict(['x'], { documents: true }))).toContain('reads no documents');
    plain.dispose();
  });
});
