import { randomInt } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { type Seq2SeqArgs, type Seq2SeqArgsInput, updateArgs } from './args/index.js';
import { makeDirectory, writeFileWhole } from './checkpoints/index.js';
import { type RowInput, rowsFrom } from './data/index.js';
import { physicalCores } from './engine/index.js';
import { fail, refuseUnknown } from './errors.js';
import { GenerationPrograms, generate, resolveGenerationOptions } from './generation/index.js';
import { type ModelParts, targetSizeOf } from './model-parts.js';
import { saveModel } from './model-saving.js';
import { type LoadOptions, obtainModel } from './model-source.js';

export type { LoadOptions } from './model-source.js';

import { pick } from './pick.js';
import { Progress } from './progress.js';
import type { Tokenizer } from './tokenizers/index.js';
import { encodeExamples, evaluateLoss, type TrainingResult, train } from './training/index.js';

export interface TrainOptions {
  /** Instead of the option `outputDir`. */
  outputDir?: string | undefined;
  showRunningLoss?: boolean | undefined;
  args?: Seq2SeqArgsInput | undefined;
  /** Ends training between two steps; what was saved until then stays. */
  signal?: AbortSignal | undefined;
}

export interface EvalOptions {
  outputDir?: string | undefined;
  silent?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

export type EvalResult = {
  /** Mean loss over all label tokens. */
  eval_loss: number;
};

export interface PredictOptions {
  /** Called with the number of texts answered so far. */
  onProgress?: ((done: number) => void) | undefined;
  /** Hears how many answers hit the length limit before they ended; by default a line on stderr says so. */
  onUnfinished?: ((unfinished: number, answers: number, maxLength: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** A sequence-to-sequence model with its tokenizer and options: load it, train it, evaluate it, let it predict. */
export class Seq2SeqModel {
  #args: Seq2SeqArgs;
  readonly #parts: ModelParts;
  #programs: GenerationPrograms | undefined;
  /** While weights change, nothing else may read them. */
  #isTraining = false;

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
   * @param trainData a file (TSV, CSV, JSONL) or rows `{ input_text, target_text }`
   */
  async trainModel(trainData: string | readonly RowInput[], options: TrainOptions = {}): Promise<TrainingResult> {
    refuseUnknown('trainModel', options, TRAIN_OPTIONS);
    this.#requireRest();
    const { untrainable } = this.#parts.architecture;
    if (untrainable !== undefined) fail('config.json', untrainable);
    if (options.args) this.#args = updateArgs(this.#args, options.args);
    const args = this.#args;
    const outputDir = options.outputDir ?? args.outputDir;
    if (!args.overwriteOutputDir) requireEmpty(outputDir);
    this.#isTraining = true;
    try {
      const { examples, report } = await this.#encode(trainData, args.useMultiprocessing, options.signal);
      if (!args.silent) process.stderr.write(`${report}\n`);
      this.#releasePrograms();
      const save = (directory: string) => saveModel(directory, this.#parts, args);
      const result = await train({
        architecture: this.#parts.architecture,
        weights: this.#parts.weights,
        examples,
        outputDir,
        options: {
          ...args,
          seed: args.manualSeed ?? randomInt(2 ** 32),
          threads: this.#threads,
          showRunningLoss: options.showRunningLoss ?? true,
        },
        save,
        signal: options.signal,
      });
      if (!args.noSave) await save(outputDir);
      return result;
    } finally {
      this.#isTraining = false;
    }
  }

  /** The mean loss on rows; also written to `eval_results.txt` in the output directory. */
  async evalModel(evalData: string | readonly RowInput[], options: EvalOptions = {}): Promise<EvalResult> {
    refuseUnknown('evalModel', options, EVAL_OPTIONS);
    this.#requireRest();
    const outputDir = options.outputDir ?? this.#args.outputDir;
    const { examples } = await this.#encode(evalData, this.#args.useMultiprocessingForEvaluation, options.signal);
    await makeDirectory(outputDir, 'outputDir');
    const progress = new Progress('Evaluating', examples.length, options.silent ?? this.#args.silent);
    const loss = await evaluateLoss(this.#parts.architecture, this.#parts.weights, examples, {
      batchSize: this.#args.evalBatchSize,
      threads: this.#threads,
      onBatch: (done) => progress.update(done),
      signal: options.signal,
    });
    progress.finish();
    const result = { eval_loss: loss };
    const lines = Object.entries(result).map(([name, value]) => `${name} = ${value}\n`);
    await writeFileWhole(path.join(outputDir, 'eval_results.txt'), lines.join(''));
    return result;
  }

  /** The answers to texts, in their order; with `numReturnSequences` above 1 a list for each text. */
  async predict(texts: readonly string[], options: PredictOptions = {}): Promise<string[] | string[][]> {
    refuseUnknown('predict', options, PREDICT_OPTIONS);
    this.#requireRest();
    if (typeof texts === 'string') fail('predict', 'a list of texts is needed, not one text. Pass [text].');
    if (!Array.isArray(texts)) fail('predict', `a list of texts is needed, not ${typeof texts}.`);
    for (const [i, text] of texts.entries()) {
      if (typeof text !== 'string')
        fail('predict', `text ${i} is ${text === null ? 'null' : `a ${typeof text}`}, not a string.`);
    }
    const { architecture, tokenizers, config, generationConfig } = this.#parts;
    const args = this.#args;
    const generation = resolveGenerationOptions(
      {
        ...pick(
          args,
          'numBeams',
          'lengthPenalty',
          'earlyStopping',
          'maxLength',
          'maxNewTokens',
          'minLength',
          'repetitionPenalty',
        ),
        ...pick(args, 'noRepeatNgramSize', 'numReturnSequences', 'doSample', 'temperature'),
        topK: args.topK ?? null,
        topP: args.topP ?? null,
        seed: args.manualSeed ?? null,
        ...languageToken(this.#parts, args.tgtLang),
      },
      generationConfig ?? {},
      config,
      architecture.generationDefaults,
    );
    this.#programs ??= new GenerationPrograms(architecture, this.#parts.weights, this.#threads);
    const sources = await tokenizers.source.encodeBatch(
      texts,
      { maxLength: args.maxSeqLength, language: args.srcLang },
      { workers: args.processCount, signal: options.signal },
    );
    const found = await generate(this.#programs, sources, generation, {
      batchSize: args.evalBatchSize,
      signal: options.signal,
      onProgress: options.onProgress,
    });

    const unfinished = found.flat().filter((sequence) => !sequence.finished).length;
    const tell = options.onUnfinished ?? (args.silent ? undefined : warnUnfinished);
    if (unfinished > 0) tell?.(unfinished, found.flat().length, generation.maxLength);
    // Simple Transformers asks for this clean-up, whatever the tokenizer's own default.
    const decode = { skipSpecialTokens: args.skipSpecialTokens, cleanUpTokenizationSpaces: true };
    // A vocabulary may be padded beyond the tokenizer's; such ids stand for nothing.
    const known = (id: number) => id < targetSizeOf(tokenizers.target);
    const answers = found.map((sequences) =>
      tokenizers.target.decodeBatch(
        sequences.map(({ ids }) => ids.filter(known)),
        decode,
      ),
    );
    return generation.numReturnSequences > 1 ? answers : answers.map(([first]) => first!);
  }

  /** Writes the model to a directory that Python's Transformers and Simple Transformers load as well. */
  async saveModel(outputDir: string = this.#args.outputDir): Promise<void> {
    this.#requireRest();
    await saveModel(outputDir, this.#parts, this.#args);
  }

  /** Frees the engine's memory. The model must not be used afterwards. */
  dispose(): void {
    this.#releasePrograms();
  }

  #requireRest(): void {
    if (this.#isTraining) fail('model', 'it is being trained. Wait until trainModel is done.');
  }

  get #threads(): number {
    return this.#args.threads ?? physicalCores();
  }

  #releasePrograms(): void {
    this.#programs?.dispose();
    this.#programs = undefined;
  }

  async #encode(
    data: string | readonly RowInput[],
    always: boolean,
    signal: AbortSignal | undefined,
  ): Promise<ReturnType<typeof encodeExamples>> {
    const { maxSeqLength, maxTargetLength, srcLang, tgtLang, encoding } = this.#args;
    const { processCount: workers, multiprocessingChunksize } = this.#args;
    const rows = await rowsFrom(data, { encoding });
    const limits = {
      maxSourceLength: maxSeqLength,
      maxTargetLength: maxTargetLength ?? maxSeqLength,
      sourceLanguage: srcLang,
      targetLanguage: tgtLang,
    };
    const progress = new Progress('Tokenising', rows.length, this.#args.silent || rows.length < LONG_TO_TOKENISE);
    const encoded = await encodeExamples(rows, this.#parts.tokenizers, this.#parts.architecture, limits, {
      threads: { workers, chunk: multiprocessingChunksize > 0 ? multiprocessingChunksize : undefined, always, signal },
      onProgress: (done) => progress.update(done),
    });
    progress.finish();
    return encoded;
  }
}

/** The share of answers that were cut off, as a warning on stderr. */
export function warnUnfinished(unfinished: number, answers: number, maxLength: number): void {
  const share = Number(((100 * unfinished) / answers).toPrecision(2));
  process.stderr.write(
    `predict: ${share}% of the answers were cut at maxLength ${maxLength}. Raise it to get them whole.\n`,
  );
}

function requireEmpty(directory: string): void {
  if (!existsSync(directory)) return;
  if (!statSync(directory).isDirectory()) fail('outputDir', `${directory} is a file. Name a directory.`);
  if (readdirSync(directory).length > 0) {
    fail('outputDir', `${directory} exists and is not empty. Name another directory, or set overwriteOutputDir.`);
  }
}

// Callers in JavaScript get no help from types.
const TRAIN_OPTIONS = ['outputDir', 'showRunningLoss', 'args', 'signal'] as const satisfies (keyof TrainOptions)[];
const EVAL_OPTIONS = ['outputDir', 'silent', 'signal'] as const satisfies (keyof EvalOptions)[];
const PREDICT_OPTIONS = ['onProgress', 'onUnfinished', 'signal'] as const satisfies (keyof PredictOptions)[];

/** Fewer rows than this are tokenised before a bar could be read. */
const LONG_TO_TOKENISE = 20_000;

/** The target's language code where the model is told it by a token. */
function languageToken({ architecture, tokenizers }: ModelParts, language: string) {
  const { languageCode } = architecture;
  if (languageCode === undefined) return {};
  // Refuses what is no language, with those that are.
  tokenizers.target.encode('', { target: true, language });
  return { [languageCode]: tokenizers.target.idOf(language)! };
}
