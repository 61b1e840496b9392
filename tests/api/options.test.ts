import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { optionNames, optionOf } from '../../src/args/index.js';
import { parseArgs, type Seq2SeqArgsInput, Seq2SeqModel, type TrainOptions } from '../../src/index.js';
import { allDropout, fixture, linesOf, loadBart, rowsOf, temporaryFolder } from '../support.js';

// Every option has a test that fails when the option is ignored: one here, or the one named.

type OptionName = keyof Seq2SeqArgsInput;
type Effect = () => void | Promise<void>;

const folder = temporaryFolder();
const root = join(import.meta.dirname, '../..');
const rows = [...rowsOf('base', 'train'), ...rowsOf('base', 'eval')];
let runs = 0;

const usual: Seq2SeqArgsInput = {
  ...{ numTrainEpochs: 2, trainBatchSize: 3, learningRate: 0.003, manualSeed: 1, loggingSteps: 1, noCache: true },
  ...{ warmupRatio: 0.2, noSave: true },
};

/** What a short run logs, and how it ends; equal runs give equal texts. */
async function trained(args: Seq2SeqArgsInput, options: TrainOptions = {}): Promise<string> {
  const outputDir = join(folder, `run-${runs++}`);
  const model = await loadBart(fixture('base'), { config: allDropout, args: { ...usual, ...args } });
  const { trainingLoss } = await model.trainModel(rows, { outputDir, ...options });
  model.dispose();
  const log = readFileSync(join(outputDir, 'training_log.jsonl'), 'utf8').replace(/"tokens_per_second":\d+/g, '');
  return `${log}${trainingLoss}`;
}

const baselines = new Map<string, Promise<string>>();

/** Training goes otherwise with the changed options than with the base alone. */
const training =
  (changed: Seq2SeqArgsInput, base: Seq2SeqArgsInput = {}): Effect =>
  async () => {
    const key = JSON.stringify(base);
    baselines.set(key, baselines.get(key) ?? trained(base));
    expect(await trained({ ...base, ...changed })).not.toBe(await baselines.get(key));
  };

/** Answers are others with the changed options. */
const answers =
  (changed: Seq2SeqArgsInput, base: Seq2SeqArgsInput = {}): Effect =>
  async () => {
    const predict = async (args: Seq2SeqArgsInput) => {
      const model = await loadBart(fixture('base'), { args });
      const found = await model.predict(linesOf('base'), { onUnfinished: () => {} });
      model.dispose();
      return found;
    };
    expect(await predict({ ...base, ...changed })).not.toEqual(await predict(base));
  };

/** Another test fails when the option is ignored. */
const heldBy =
  (file: string, name: string): Effect =>
  () => {
    expect(readFileSync(join(root, file), 'utf8'), `${file} has no test of this name`).toContain(name);
  };

/** No value but its default is taken: it cannot be ignored. */
const notTaken: Effect = () => {};

/** What tokenising was told, in training or evaluation. */
const tokenising =
  (args: Seq2SeqArgsInput, expected: object, purpose: 'train' | 'eval' = 'train'): Effect =>
  async () => {
    const model = await loadBart(fixture('base'), { args: { ...usual, maxSteps: 1, ...args } });
    const encode = vi.spyOn(model.encoderTokenizer, 'encodeChunks');
    const outputDir = join(folder, `run-${runs++}`);
    await (purpose === 'train' ? model.trainModel(rows, { outputDir }) : model.evalModel(rows, { outputDir }));
    model.dispose();
    expect(encode.mock.calls[0]![2]).toMatchObject(expected);
  };

/** The most texts whose answers grow at the same time. */
async function mostAtOnce(args: Seq2SeqArgsInput): Promise<number> {
  const model = await loadBart(fixture('base'), { args: { maxLength: 12, ...args } });
  const growing = new Set<number>();
  let most = 0;
  for await (const { index, isLast } of model.predict(linesOf('base'), { stream: 'text', onUnfinished: () => {} })) {
    growing.add(index);
    most = Math.max(most, growing.size);
    if (isLast) growing.delete(index);
  }
  model.dispose();
  return most;
}

/** What a run with evaluations says on stderr. */
async function said(args: Seq2SeqArgsInput): Promise<string> {
  const write = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  try {
    await trained({ silent: false, maxSteps: 2, ...args }, { evalData: rowsOf('base', 'eval') });
    return write.mock.calls.map(([text]) => String(text)).join('');
  } finally {
    write.mockRestore();
  }
}
const evaluating = { evaluateDuringTraining: true, evaluateDuringTrainingSteps: 2, evaluateEachEpoch: false };

/**
 * The loss of training on a token file that was exchanged for that of other rows: another loss than that of the rows
 * shows that the file was used.
 */
async function cacheIsUsed(args: Seq2SeqArgsInput, purpose: 'train' | 'eval' = 'train'): Promise<boolean> {
  const cacheDir = join(folder, `cache-${runs++}`);
  const loss = async (given: typeof rows, more: Seq2SeqArgsInput) => {
    const model = await loadBart(fixture('base'), {
      args: { ...usual, noCache: false, cacheDir, maxSteps: 1, ...more },
    });
    const outputDir = join(folder, `run-${runs++}`);
    const result =
      purpose === 'train'
        ? (await model.trainModel(given, { outputDir })).trainingLoss
        : (await model.evalModel(given, { outputDir })).eval_loss;
    model.dispose();
    return result;
  };
  const own = await loss(rows, {});
  const [mine] = readdirSync(cacheDir);
  const other = await loss([...rows].reverse().slice(3), {});
  const theirs = readdirSync(cacheDir).find((name) => name !== mine);
  cpSync(join(cacheDir, theirs!), join(cacheDir, mine!));
  const found = await loss(rows, args);
  expect([own, other]).toContain(found);
  return found === other;
}

const cacheFiles = async (args: Seq2SeqArgsInput, directory: string) => {
  await trained({ noCache: false, maxSteps: 1, ...args });
  return readdirSync(directory, { recursive: true }).filter((name) => String(name).endsWith('.bin'));
};

const adafactor = {
  ...({ optimizer: 'Adafactor', adafactorRelativeStep: false, adafactorWarmupInit: false } as const),
};
const relative = { optimizer: 'Adafactor', adafactorWarmupInit: false } as const;
const cosine = { scheduler: 'cosine_schedule_with_warmup' } as const;
const polynomial = { scheduler: 'polynomial_decay_schedule_with_warmup' } as const;
const group = { customParameterGroups: [{ params: ['model.shared.weight'], lr: 0.01 }] };
const evaluatingTest = 'tests/api/evaluating.test.ts';
const checkpointsTest = 'tests/api/checkpoints.test.ts';
const ragTest = 'tests/api/rag.test.ts';

const effects: Record<OptionName, Effect> = {
  numTrainEpochs: training({ numTrainEpochs: 1 }),
  maxSteps: training({ maxSteps: 3 }),
  trainBatchSize: training({ trainBatchSize: 4 }),
  batchTokens: async () => {
    await training({ batchTokens: 60 })();
    expect(await mostAtOnce({ evalBatchSize: 1, batchTokens: 100 })).toBeGreaterThan(1);
  },
  gradientAccumulationSteps: training({ gradientAccumulationSteps: 2 }),
  learningRate: training({ learningRate: 0.004 }),
  optimizer: training({ ...adafactor }),
  adamBetas: training({ adamBetas: [0.8, 0.99] }),
  adamEpsilon: training({ adamEpsilon: 0.01 }),
  weightDecay: training({ weightDecay: 0.5 }),
  labelSmoothing: training({ labelSmoothing: 0.2 }),
  maxGradNorm: training({ maxGradNorm: 0.001, adamEpsilon: 0.01 }, { adamEpsilon: 0.01 }),
  scheduler: training({ scheduler: 'constant_schedule' }),
  warmupRatio: training({ warmupRatio: 0.8 }),
  warmupSteps: training({ warmupSteps: 5 }),
  maxBadSteps: heldBy(evaluatingTest, 'are skipped, and end the run when there are more than allowed'),
  manualSeed: training({ manualSeed: 2 }),
  adafactorBeta1: training({ adafactorBeta1: 0.9 }, adafactor),
  adafactorClipThreshold: training({ adafactorClipThreshold: 0.1 }, adafactor),
  adafactorDecayRate: training({ adafactorDecayRate: -0.3 }, adafactor),
  adafactorEps: training({ adafactorEps: [1e-30, 0.9] }, adafactor),
  adafactorRelativeStep: training({ adafactorRelativeStep: false }, relative),
  adafactorScaleParameter: training({ adafactorScaleParameter: false }, adafactor),
  adafactorWarmupInit: training({ adafactorWarmupInit: true }, relative),
  cosineScheduleNumCycles: training({ cosineScheduleNumCycles: 2 }, cosine),
  polynomialDecayScheduleLrEnd: training({ polynomialDecayScheduleLrEnd: 0.001 }, polynomial),
  polynomialDecaySchedulePower: training({ polynomialDecaySchedulePower: 3 }, polynomial),
  customLayerParameters: training({ customLayerParameters: [{ layer: 1, lr: 0.02 }] }),
  customParameterGroups: training(group),
  trainCustomParametersOnly: training({ trainCustomParametersOnly: true }, group),

  maxSeqLength: training({ maxSeqLength: 6 }, { maxTargetLength: 20 }),
  maxTargetLength: training({ maxTargetLength: 4 }),
  encoding: async () => {
    const file = join(folder, 'latin1.tsv');
    writeFileSync(file, Buffer.from('input_text\ttarget_text\ncafé\tx\n', 'latin1'));
    const model = await loadBart(fixture('base'), { args: { ...usual, encoding: 'latin-1' } });
    await model.trainModel(file, { outputDir: join(folder, 'latin1') });
    await expect(
      model.trainModel(file, { outputDir: join(folder, 'utf8'), args: { encoding: 'utf-8' } }),
    ).rejects.toThrow('is not valid UTF-8');
    model.dispose();
  },
  doLowerCase: async () => {
    const place = join(root, 'tests/fixtures/encoder-decoder/bert');
    const ids = async (doLowerCase: boolean) => {
      const model = await Seq2SeqModel.load({
        ...{ encoderType: 'bert', encoderDecoderName: place, args: { doLowerCase, silent: true } },
      });
      const found = [...model.encoderTokenizer.encode('THE Sun')];
      const lower = [...model.encoderTokenizer.encode('the sun')];
      model.dispose();
      return String(found) === String(lower);
    };
    expect(await ids(true)).toBe(true);
  },
  srcLang: heldBy('tests/api/model-types.test.ts', 'answers as Transformers'),
  tgtLang: heldBy('tests/api/model-types.test.ts', 'answers as Transformers'),
  reprocessInputData: async () => {
    expect(await cacheIsUsed({ reprocessInputData: true })).toBe(false);
    expect(await cacheIsUsed({ reprocessInputData: false })).toBe(true);
  },
  noCache: async () => {
    const cacheDir = join(folder, 'no-cache');
    mkdirSync(cacheDir);
    expect(await cacheFiles({ cacheDir, noCache: true }, cacheDir)).toHaveLength(0);
    expect(await cacheFiles({ cacheDir }, cacheDir)).toHaveLength(1);
  },
  useCachedEvalFeatures: async () => {
    expect(await cacheIsUsed({ useCachedEvalFeatures: false }, 'eval')).toBe(false);
    expect(await cacheIsUsed({ useCachedEvalFeatures: true }, 'eval')).toBe(true);
    expect(await cacheIsUsed({ useCachedEvalFeatures: true })).toBe(false);
  },
  cacheDir: async () => {
    const cacheDir = join(folder, 'a-cache');
    expect(await cacheFiles({ cacheDir }, cacheDir)).toHaveLength(1);
  },
  datasetCacheDir: async () => {
    const [cacheDir, datasetCacheDir] = [join(folder, 'b-cache'), join(folder, 'c-cache')];
    mkdirSync(cacheDir);
    expect(await cacheFiles({ cacheDir, datasetCacheDir }, datasetCacheDir)).toHaveLength(1);
    expect(readdirSync(cacheDir)).toEqual([]);
  },
  useMultiprocessing: tokenising({ useMultiprocessing: true, processCount: 1 }, { always: true }),
  useMultiprocessingForEvaluation: tokenising(
    { useMultiprocessingForEvaluation: true, processCount: 1 },
    { always: true },
    'eval',
  ),
  processCount: tokenising({ processCount: 3 }, { workers: 3 }),
  multiprocessingChunksize: tokenising({ multiprocessingChunksize: 17 }, { chunk: 17 }),
  dataloaderNumWorkers: heldBy('src/training/batch-feed.test.ts', 'makes %d batches ahead'),
  useHfDatasets: notTaken,
  datasetClass: notTaken,

  evalBatchSize: async () => expect(await mostAtOnce({ evalBatchSize: 3 })).toBe(3),
  evaluateGeneratedText: heldBy(evaluatingTest, 'are the usual ones when generated texts are evaluated'),
  metrics: heldBy(evaluatingTest, 'are computed by evalModel, with their signatures'),
  evaluateDuringTraining: heldBy(evaluatingTest, 'comes after every so many steps, and after each epoch'),
  evaluateDuringTrainingSteps: heldBy(evaluatingTest, 'comes after every so many steps, and after each epoch'),
  evaluateDuringTrainingSilent: async () => {
    expect(await said(evaluating)).not.toContain('Evaluating');
    expect(await said({ ...evaluating, evaluateDuringTrainingSilent: false })).toContain('Evaluating');
  },
  evaluateDuringTrainingVerbose: async () => {
    expect(await said(evaluating)).not.toMatch(/step 2: eval_loss/);
    expect(await said({ ...evaluating, evaluateDuringTrainingVerbose: true })).toMatch(/step 2: eval_loss \d/);
  },
  evaluateEachEpoch: heldBy(evaluatingTest, 'comes after epochs alone where steps are off'),
  useEarlyStopping: heldBy(evaluatingTest, 'counts epochs only when asked to'),
  earlyStoppingMetric: heldBy(evaluatingTest, 'keeps the best model, the lowest or the highest'),
  earlyStoppingMetricMinimize: heldBy(evaluatingTest, 'keeps the best model, the lowest or the highest'),
  earlyStoppingDelta: heldBy(evaluatingTest, 'stops early, after one evaluation more than the patience'),
  earlyStoppingPatience: heldBy(evaluatingTest, 'stops early, after one evaluation more than the patience'),
  earlyStoppingConsiderEpochs: heldBy(evaluatingTest, 'counts epochs only when asked to'),

  maxLength: answers({ maxLength: 4 }),
  maxNewTokens: answers({ maxNewTokens: 2 }),
  minLength: answers({ minLength: 12 }),
  numBeams: answers({ numBeams: 4 }),
  lengthPenalty: answers({ lengthPenalty: -5 }, { numBeams: 4 }),
  earlyStopping: heldBy('tests/parity/training.test.ts', 'earlyStopping'),
  repetitionPenalty: answers({ repetitionPenalty: 5 }),
  noRepeatNgramSize: answers({ noRepeatNgramSize: 1 }),
  minNewTokens: answers({ minNewTokens: 12 }),
  badWords: heldBy('tests/api/predict.test.ts', 'bad words do not come'),
  prefix: heldBy('tests/api/predict.test.ts', 'all begin with a prefix'),
  forcedBosToken: answers({ forcedBosToken: 'Ġthe', skipSpecialTokens: false }),
  forcedEosToken: answers({ forcedEosToken: 'Ġthe', maxLength: 6 }, { maxLength: 6 }),
  numBeamGroups: answers(
    { numBeamGroups: 4 },
    { numBeams: 4, diversityPenalty: 5, numBeamGroups: 2, numReturnSequences: 4 },
  ),
  diversityPenalty: answers(
    { diversityPenalty: 20 },
    { numBeams: 4, diversityPenalty: 0.01, numBeamGroups: 2, numReturnSequences: 4 },
  ),
  numReturnSequences: answers({ numReturnSequences: 2 }, { numBeams: 4 }),
  doSample: answers({ doSample: true, temperature: 3, manualSeed: 1 }),
  topK: answers({ topK: 1 }, { doSample: true, temperature: 3, manualSeed: 1 }),
  topP: answers({ topP: 0.01 }, { doSample: true, temperature: 3, manualSeed: 1 }),
  minP: answers({ minP: 1 }, { doSample: true, temperature: 3, manualSeed: 1 }),
  typicalP: answers({ typicalP: 0.01 }, { doSample: true, temperature: 3, manualSeed: 1 }),
  temperature: answers({ temperature: 0.01 }, { doSample: true, manualSeed: 1 }),
  skipSpecialTokens: answers({ skipSpecialTokens: false }),
  useMultiprocessedDecoding: heldBy('tests/api/predict.test.ts', 'ids become texts in threads'),

  outputDir: heldBy('tests/cli/commands.test.ts', 'trains, evaluates and saves'),
  overwriteOutputDir: heldBy(checkpointsTest, 'unless it may be overwritten'),
  saveSteps: heldBy(checkpointsTest, 'are named after the step'),
  saveModelEveryEpoch: heldBy(checkpointsTest, 'are left out where they are not wanted'),
  noSave: heldBy(evaluatingTest, 'is nothing of the model with noSave'),
  notSavedArgs: heldBy('src/args/args.test.ts', 'leaves out what notSavedArgs names'),
  saveOptimizerAndScheduler: heldBy('tests/api/resume.test.ts', 'saves no optimizer where it is told not to'),
  saveTotalLimit: heldBy(evaluatingTest, 'is at most as many checkpoints as asked'),
  saveBestModel: heldBy(evaluatingTest, 'keeps it where bestModelDir says, or not at all'),
  bestModelDir: heldBy(evaluatingTest, 'keeps it where bestModelDir says, or not at all'),
  saveEvalCheckpoints: heldBy(evaluatingTest, 'saves a checkpoint with the results at each evaluation'),

  loggingSteps: heldBy(checkpointsTest, 'gives the mean loss since the last logged step'),
  silent: async () => {
    expect(await said({ silent: true })).toBe('');
    expect(await said({ silent: false })).toContain('Training');
  },
  tensorboardDir: heldBy('tests/api/watching.test.ts', 'TensorBoard: numbers, options'),
  wandbProject: heldBy('tests/api/watching.test.ts', 'nothing when no project is named'),
  wandbKwargs: heldBy('src/loggers/wandb.test.ts', 'is made with its options'),
  sweepConfig: heldBy('tests/api/watching.test.ts', 'nothing when no project is named'),

  config: async () => {
    const model = await loadBart(fixture('base'), { args: { config: { dropout: 0.9 } } });
    const other = await loadBart(fixture('base'));
    const loss = async (each: Seq2SeqModel) => {
      const outputDir = join(folder, `run-${runs++}`);
      const { trainingLoss } = await each.trainModel(rows, { outputDir, args: { ...usual, maxSteps: 2 } });
      each.dispose();
      return trainingLoss;
    };
    expect(await loss(model)).not.toBe(await loss(other));
  },
  tokenizerName: heldBy('tests/api/fresh.test.ts', 'tokenizerName'),
  threads: heldBy('tests/api/resume.test.ts', 'goes on with the threads it had'),
  modelName: notTaken,
  modelType: notTaken,
  tokenizerType: async () => {
    const model = await loadBart(fixture('base'), { args: { tokenizerType: 'roberta' } });
    expect(model.encoderTokenizer.modelType).toBe('roberta');
    model.dispose();
  },
  baseMarianModelName: async () => {
    const marian = join(root, 'tests/fixtures/translation/marian');
    const bare = join(folder, 'marian');
    cpSync(marian, bare, { recursive: true });
    for (const name of readdirSync(bare)) if (/spm|vocab|tokenizer/.test(name)) rmSync(join(bare, name));
    const load = (args: Seq2SeqArgsInput) =>
      Seq2SeqModel.load({ encoderDecoderType: 'marian', encoderDecoderName: bare, args: { silent: true, ...args } });
    await expect(load({})).rejects.toThrow();
    (await load({ baseMarianModelName: marian })).dispose();
  },
  dynamicQuantize: heldBy('tests/api/quantized.test.ts', 'is saved, loaded and saved again, and answers the same'),
  quantizedModel: heldBy('tests/api/quantized.test.ts', 'what cannot be meant'),
  fp16: notTaken,
  nGpu: notTaken,
  localRank: notTaken,
  faissD: heldBy(ragTest, 'names what does not belong together, before any long work'),
  faissM: heldBy(ragTest, 'is indexed as an %s'),
  faissIndexType: heldBy(ragTest, 'is indexed as an %s'),
  includeTitleInCorpus: heldBy(ragTest, 'is not kept where the options say so, and titles may be left out'),
  ragEmbedBatchSize: heldBy(ragTest, 'is embedded from a TSV file as Python does it, whatever the batch'),
  saveKnowledgeDataset: heldBy(ragTest, 'is not kept where the options say so'),
  saveKnowledgeDatasetWithCheckpoints: heldBy(ragTest, 'is saved with checkpoints where the options say so'),
  splitTextN: heldBy(ragTest, 'is embedded from a TSV file as Python does it'),
  splitTextCharacter: heldBy(ragTest, 'splits texts by other characters'),
  ragHidePadding: heldBy('tests/parity/rag.test.ts', 'with padding hidden'),
};

describe('the option', () => {
  it.each(Object.entries(effects))('%s is not ignored', { timeout: 30_000 }, async (_, effect) => {
    await effect();
  });

  it('that says it works has such a test, and others take their default alone', () => {
    expect(Object.keys(effects).sort()).toEqual([...optionNames].sort());
    for (const name of optionNames) {
      const { status } = optionOf(name);
      expect(effects[name] !== notTaken, name).toBe(status.kind === 'works');
      if (status.kind === 'refused') expect(parseArgs({})[name]).toEqual(optionOf(name).default);
    }
  });
});
