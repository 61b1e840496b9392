import path from 'node:path';
import process from 'node:process';
import { type Seq2SeqArgs, type Seq2SeqArgsInput, updateArgs } from './args/index.js';
import { makeDirectory, writeFileWhole } from './checkpoints/index.js';
import type { RowData } from './data/index.js';
import { physicalCores } from './engine/index.js';
import { fail, refuseUnknown, Seq2SeqError } from './errors.js';
import { metricsOf, requireEvaluation } from './evaluation-setup.js';
import { GenerationPrograms, type LogitsProcessor } from './generation/index.js';
import { type Metrics, withSignatures } from './metrics/index.js';
import { type EvalResult, evaluateModel } from './model-evaluation.js';
import { exportModel } from './model-export.js';
import { type ModelParts, requireTrainable } from './model-parts.js';
import {
  type Answer,
  type AnswerRun,
  type AnyTexts,
  type Cut,
  type DocumentedAnswers,
  type Prediction,
  Predictor,
  requireDocuments,
  requireText,
  type TextPiece,
  withDocuments,
} from './model-prediction.js';
import { type ModelRows, type Purpose, prepareRows } from './model-rows.js';
import { saveKnowledge, saveModel } from './model-saving.js';
import { type LoadOptions, obtainModel } from './model-source.js';
import { trainParts } from './model-training.js';
import { quantizeWeights } from './models/index.js';
import { pick } from './pick.js';
import type { Bits } from './quantization.js';
import { KNOWLEDGE_FOLDERS } from './rag-knowledge.js';
import { requireEmpty } from './require-empty.js';
import type { Tokenizer } from './tokenizers/index.js';
import {
  type ResumePoint,
  resultsText,
  resumePoint,
  type TrainingCallbacks,
  type TrainingResult,
} from './training/index.js';

export type { EvalResult } from './model-evaluation.js';
export type { Answer, AnyTexts, DocumentedAnswers, Prediction, TextPiece } from './model-prediction.js';
export type { LoadOptions } from './model-source.js';
export type { RetrievedDocument } from './rag/index.js';

export interface TrainOptions extends TrainingCallbacks {
  /** Instead of the option `outputDir`. */
  outputDir?: string | undefined;
  showRunningLoss?: boolean | undefined;
  args?: Seq2SeqArgsInput | undefined;
  /** Rows for `evaluateDuringTraining`. */
  evalData?: RowData | undefined;
  /** Of the texts generated for these rows, beside those of the option `metrics`. */
  metrics?: Metrics | undefined;
  /** Goes on with an earlier run: from this checkpoint, or with `true` from the last one in the output directory. */
  resumeFromCheckpoint?: string | boolean | undefined;
  /** Ends training between two steps; a checkpoint of where it stopped is saved. */
  signal?: AbortSignal | undefined;
}

export interface EvalOptions {
  outputDir?: string | undefined;
  silent?: boolean | undefined;
  metrics?: Metrics | undefined;
  signal?: AbortSignal | undefined;
}

export interface PredictOptions {
  /** Called with the number of texts answered so far. */
  onProgress?: ((done: number) => void) | undefined;
  /** Hears how many answers hit the length limit before they ended; by default a line on stderr says so. */
  onUnfinished?: ((unfinished: number, answers: number, maxLength: number) => void) | undefined;
  /** Ends the work between two steps. */
  signal?: AbortSignal | undefined;
  /** A rule of your own for which token comes next. */
  logitsProcessor?: LogitsProcessor | undefined;
  /** The number of the first text within a larger work, so that sampling with `manualSeed` goes on as in one piece. */
  firstIndex?: number | undefined;
}

/** A sequence-to-sequence model with its tokenizer and options: load it, train it, evaluate it, let it predict. */
export class Seq2SeqModel {
  #args: Seq2SeqArgs;
  readonly #parts: ModelParts;
  #programs: GenerationPrograms | undefined;
  /** While weights change, nothing else may read them. */
  #isTraining = false;
  /** Predictions under way. */
  #predictions = 0;

  private constructor(parts: ModelParts, args: Seq2SeqArgs) {
    this.#parts = parts;
    this.#args = args;
  }

  /** Loads a checkpoint by a directory or a hub id, or starts a fresh model from `config` and a tokenizer. */
  static async load(options: LoadOptions): Promise<Seq2SeqModel> {
    const { parts, args, warnings } = await obtainModel(options);
    if (!args.silent) for (const warning of warnings) process.stderr.write(`${warning}\n`);
    return new Seq2SeqModel(parts, args);
  }

  get args(): Seq2SeqArgs {
    return this.#args;
  }

  /** Of the sources; of the targets as well, unless the decoder has one of its own. */
  get encoderTokenizer(): Tokenizer {
    return this.#parts.tokenizers.source;
  }

  get decoderTokenizer(): Tokenizer {
    return this.#parts.tokenizers.target;
  }

  /** The number of trained values. */
  get parameterCount(): number {
    return this.#parts.weights.parameterCount;
  }

  /**
   * Trains on rows and saves the model, with checkpoints on the way, in the output directory.
   * @param trainData a file (TSV, CSV, JSONL, Parquet, Arrow), rows `{ input_text, target_text }`, or an Arrow table
   */
  async trainModel(trainData: RowData, options: TrainOptions = {}): Promise<TrainingResult> {
    refuseUnknown('trainModel', options, TRAIN_OPTIONS);
    this.#requireRest();
    requireTrainable(this.#parts);
    if (this.#predictions > 0) {
      fail(
        'model',
        'it is predicting. Wait for the answers, or end their stream, before training changes the weights.',
      );
    }
    const args = options.args ? updateArgs(this.#args, options.args) : this.#args;
    const metrics = metricsOf(args, options.metrics);
    requireEvaluation(args, metrics, options.evalData);
    const outputDir = options.outputDir ?? args.outputDir;
    const resume = resumeOf(outputDir, options.resumeFromCheckpoint);
    if (!options.resumeFromCheckpoint && !args.overwriteOutputDir) {
      requireEmpty(outputDir, 'outputDir', 'set overwriteOutputDir', KNOWLEDGE_FOLDERS);
    }
    this.#args = args;
    this.#isTraining = true;
    const { evalData, signal } = options;
    const parts = this.#parts;
    const threads = threadsOf(args, resume);
    const open: ModelRows[] = [];
    const prepare = async (data: RowData, purpose: Purpose) => {
      const rows = await prepareRows(data, purpose, parts, args, signal);
      open.push(rows);
      return rows;
    };
    try {
      const rows = await prepare(trainData, 'training');
      const evaluated = args.evaluateDuringTraining ? await prepare(evalData!, 'evaluation') : undefined;
      const silent = args.silent || args.evaluateDuringTrainingSilent;
      this.#releasePrograms();
      return await trainParts({
        parts,
        args,
        outputDir,
        rows,
        evaluationFingerprint: evaluated?.encoded.fingerprint,
        evaluate:
          evaluated && ((stop) => evaluateModel(parts, args, evaluated, { metrics, threads, silent, signal: stop })),
        resume,
        threads,
        showRunningLoss: options.showRunningLoss ?? true,
        callbacks: pick(options, 'onStep', 'onEvaluate', 'onSave'),
        signal,
      });
    } finally {
      for (const rows of open) rows.close();
      this.#isTraining = false;
    }
  }

  /** The mean loss on rows, and metrics of the texts generated for them; also written to `eval_results.txt`. */
  async evalModel(evalData: RowData, options: EvalOptions = {}): Promise<EvalResult> {
    refuseUnknown('evalModel', options, EVAL_OPTIONS);
    this.#requireRest();
    const args = this.#args;
    const metrics = metricsOf(args, options.metrics);
    const outputDir = options.outputDir ?? args.outputDir;
    const { signal, silent = args.silent } = options;
    const rows = await prepareRows(evalData, 'evaluation', this.#parts, args, signal);
    const { results, failures } = await evaluateModel(this.#parts, args, rows, {
      metrics,
      threads: this.#threads,
      silent,
      programs: metrics.size > 0 ? this.#generationPrograms() : undefined,
      signal,
    }).finally(() => rows.close());
    await makeDirectory(outputDir, 'outputDir');
    await writeFileWhole(path.join(outputDir, 'eval_results.txt'), resultsText(withSignatures(results)));
    if (failures.length > 0)
      throw new Seq2SeqError('evaluation', `${failures.join(' ')} All else is in eval_results.txt.`);
    return results as EvalResult;
  }

  /** The answers to texts, in their order; with `numReturnSequences` above 1 a list for each text. */
  predict(texts: readonly string[], options?: PredictOptions): Promise<string[] | string[][]>;
  /** For each text its answers, best first, with their token ids and scores. */
  predict(texts: readonly string[], options: PredictOptions & { scores: true; stream?: false }): Promise<Answer[][]>;
  /** Of a model that looks documents up: the answers, what was read for each text, and its scores, side by side. */
  predict(
    texts: readonly string[],
    options: PredictOptions & { documents: true; scores?: false; stream?: false },
  ): Promise<DocumentedAnswers>;
  /**
   * Answers as they are found: those to short texts often before those to long ones, so look at `index`. Texts may come from
   * an iterable without end, of which some are taken at a time.
   */
  predict(
    texts: AnyTexts,
    options: PredictOptions & { stream: true; scores?: boolean },
  ): AsyncGenerator<Prediction, void, void>;
  /** Answers while they are being written, piece by piece; without beams, and one answer to each text. */
  predict(
    texts: AnyTexts,
    options: PredictOptions & { stream: 'text'; scores?: false },
  ): AsyncGenerator<TextPiece, void, void>;
  predict(
    texts: AnyTexts,
    options: PredictOptions & { scores?: boolean; documents?: boolean; stream?: boolean | 'text' } = {},
  ):
    | Promise<string[] | string[][] | Answer[][] | DocumentedAnswers>
    | AsyncGenerator<Prediction | TextPiece, void, void> {
    // Callers without types may pass what is no object.
    const { stream = false, scores = false } = options ?? {};
    if (stream === false) return this.#predict(texts, options);
    refuseUnknown('predict', options, PREDICT_OPTIONS);
    if (stream !== true && stream !== 'text') {
      fail('predict', `stream is ${JSON.stringify(stream)}. Use true for whole answers, or 'text' for pieces of text.`);
    }
    if (stream === 'text' && scores)
      fail('predict', "pieces of text have no scores. Leave out scores, or stream: 'text'.");
    if (typeof texts === 'string') fail('predict', 'texts are needed, not one text. Pass [text].');
    return stream === 'text'
      ? this.#streamed(options, (predictor, run) => predictor.streamText(texts, run))
      : this.#streamed(options, (predictor, run) => predictor.stream(texts, run));
  }

  async #predict(texts: AnyTexts, options: PredictOptions & { scores?: boolean; documents?: boolean }) {
    refuseUnknown('predict', options, PREDICT_OPTIONS);
    this.#requireRest();
    if (typeof texts === 'string') fail('predict', 'a list of texts is needed, not one text. Pass [text].');
    if (!Array.isArray(texts)) return fail('predict', `a list of texts is needed, not ${typeof texts}.`);
    for (const [i, text] of texts.entries()) requireText(text, i);
    const predictor = this.#predictor(options);
    this.#predictions++;
    if (options.documents) requireDocuments(this.#parts, options);
    const found = await predictor.predict(texts, pick(options, ...RUN_OPTIONS)).finally(() => this.#predictions--);
    this.#tellCut(predictor.cut, options);
    const answers = found.map((each) => [...each.answers]);
    if (options.scores) return answers;
    const all = answers.map((each) => each.map(({ text }) => text));
    const asTexts = this.#args.numReturnSequences > 1 ? all : all.map(([first]) => first!);
    return options.documents ? withDocuments(asTexts, found) : asTexts;
  }

  async *#streamed<T>(
    options: PredictOptions & { scores?: boolean },
    start: (predictor: Predictor, run: AnswerRun) => AsyncGenerator<T, void, void>,
  ): AsyncGenerator<T, void, void> {
    this.#requireRest();
    const predictor = this.#predictor(options);
    this.#predictions++;
    try {
      yield* start(predictor, pick(options, ...RUN_OPTIONS));
    } finally {
      this.#predictions--;
    }
    this.#tellCut(predictor.cut, options);
  }

  #predictor({ logitsProcessor }: PredictOptions): Predictor {
    return new Predictor(this.#parts, this.#args, this.#generationPrograms(), logitsProcessor);
  }

  #tellCut({ unfinished, answers, maxLength }: Cut, { onUnfinished }: PredictOptions): void {
    const tell = onUnfinished ?? (this.#args.silent ? undefined : warnUnfinished);
    if (unfinished > 0) tell?.(unfinished, answers, maxLength);
  }

  /** Writes the model to a directory that Python's Transformers and Simple Transformers load as well. */
  async saveModel(outputDir: string = this.#args.outputDir): Promise<void> {
    this.#requireRest();
    await saveModel(outputDir, this.#parts, this.#args);
    await saveKnowledge(outputDir, this.#parts, this.#args);
  }

  /**
   * Writes the model with its matrices in few bits: a directory of a quarter of the size or less, which this package loads
   * as any other, to predict.
   * @param directory must not exist, or be empty, unless `overwrite` allows it
   */
  async saveQuantized(
    directory: string,
    { bits = 8, overwrite = false }: { bits?: Bits; overwrite?: boolean } = {},
  ): Promise<void> {
    this.#requireRest();
    if (bits !== 4 && bits !== 8) fail('quantize', `bits is ${String(bits)}; it must be 4 or 8.`);
    if (this.#parts.weights.bits !== 32)
      fail('quantize', 'the model is quantized already. Use the one it was made from.');
    if (!overwrite) requireEmpty(directory, 'quantize');
    const weights = quantizeWeights(this.#parts.architecture, this.#parts.weights, bits);
    await saveModel(directory, { ...this.#parts, weights }, this.#args);
  }

  /**
   * Writes the model as ONNX files that transformers.js and Optimum run, with the options' languages and rules of greedy
   * search in their settings.
   * @param directory must not exist, or be empty, unless `overwrite` allows it
   */
  async exportOnnx(directory: string, { overwrite = false }: { overwrite?: boolean } = {}): Promise<void> {
    this.#requireRest();
    if (this.#parts.weights.bits !== 32) fail('export', 'the model is quantized. Export the one it was made from.');
    if (!overwrite) requireEmpty(directory, 'export');
    await exportModel(directory, this.#parts, this.#args);
  }

  /** Frees the engine's memory, and what documents are looked up in. The model must not be used afterwards. */
  dispose(): void {
    this.#releasePrograms();
    this.#parts.retriever?.dispose();
  }

  #requireRest(): void {
    if (this.#isTraining) fail('model', 'it is being trained. Wait until trainModel is done.');
  }

  get #threads(): number {
    return threadsOf(this.#args);
  }

  #generationPrograms(): GenerationPrograms {
    this.#programs ??= new GenerationPrograms(this.#parts.architecture, this.#parts.weights, this.#threads);
    return this.#programs;
  }

  #releasePrograms(): void {
    this.#programs?.dispose();
    this.#programs = undefined;
  }
}

/** The share of answers that were cut off, as a warning on stderr. */
export function warnUnfinished(unfinished: number, answers: number, maxLength: number): void {
  const share = Number(((100 * unfinished) / answers).toPrecision(2));
  process.stderr.write(
    `predict: ${share}% of the answers were cut at maxLength ${maxLength}. Raise it to get them whole.\n`,
  );
}

/** As many as the run had before, for another number rounds otherwise; who asks for that is told. */
function threadsOf({ threads }: Seq2SeqArgs, resume?: ResumePoint): number {
  const before = resume?.state.threads;
  if (threads !== undefined && before !== undefined && threads !== before) {
    process.stderr.write(
      `resume: the run had ${before} threads and goes on with ${threads}; its result will differ in the last digits.\n`,
    );
  }
  return threads ?? before ?? physicalCores();
}

function resumeOf(outputDir: string, from: string | boolean | undefined): ResumePoint | undefined {
  if (!from) return undefined;
  const point = resumePoint(outputDir, from);
  if (point?.directory === undefined) {
    process.stderr.write(`resume: there is no checkpoint in ${outputDir} yet; the run starts at its beginning.\n`);
  }
  return point;
}

// Callers in JavaScript get no help from types.
const TRAIN_OPTIONS = [
  'outputDir',
  'showRunningLoss',
  'args',
  'evalData',
  'metrics',
  'resumeFromCheckpoint',
  'onStep',
  'onEvaluate',
  'onSave',
  'signal',
] as const satisfies (keyof TrainOptions)[];
const EVAL_OPTIONS = ['outputDir', 'silent', 'metrics', 'signal'] as const satisfies (keyof EvalOptions)[];
/** What the work needs to know of them. */
const RUN_OPTIONS = ['onProgress', 'signal', 'scores', 'firstIndex'] as const;
const PREDICT_OPTIONS = [...RUN_OPTIONS, 'onUnfinished', 'logitsProcessor', 'stream', 'documents'];
