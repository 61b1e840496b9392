import type { Seq2SeqArgs } from './args/index.js';
import { AsyncQueue } from './async-queue.js';
import { fail } from './errors.js';
import {
  type GenerationOptions,
  type GenerationPrograms,
  generate,
  generateBySequence,
  generateOverDocuments,
  type LogitsProcessor,
  type Sequence,
} from './generation/index.js';
import { generationOptions } from './generation-settings.js';
import { type ModelParts, retrieverOf, targetSizeOf } from './model-parts.js';
import type { Retrieved, RetrievedDocument, Retriever } from './rag/index.js';
import { type DecodeOptions, DecoderPool, TextStream } from './tokenizers/index.js';

/** One answer to a text. */
export interface Answer {
  readonly text: string;
  /** The start token, then everything generated, the end token included. */
  readonly ids: Int32Array;
  /**
   * Sum of `tokenScores` / generated tokens ** lengthPenalty, which is what beam search ranks by. Without beams undefined,
   * unless scores are asked for.
   */
  readonly score: number | undefined;
  /** The log-probability of each token behind the start token; empty where `score` is undefined. */
  readonly tokenScores: Float32Array;
  /** Whether it came to its end; otherwise it was cut at maxLength. */
  readonly finished: boolean;
}

/** The answers to one of several texts. */
export interface Prediction {
  /** The place of the text among all, from 0. */
  readonly index: number;
  /** Best first. */
  readonly answers: readonly Answer[];
  /** Of a model that looks documents up: what it read, best first. */
  readonly documents?: readonly RetrievedDocument[];
}

/** Some more of the answer to one of several texts. */
export interface TextPiece {
  readonly index: number;
  readonly piece: string;
  /** Whether the answer ends with it; the piece may be empty then. */
  readonly isLast: boolean;
}

export interface AnswerRun {
  readonly onProgress?: ((done: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Whether scores are wanted where they cost something. */
  readonly scores?: boolean | undefined;
  /** The number of the first text among all of a larger work, which names its random stream. */
  readonly firstIndex?: number | undefined;
}

/** How many answers were cut off. */
export interface Cut {
  readonly unfinished: number;
  readonly answers: number;
  readonly maxLength: number;
}

/** Texts of an endless input that are answered together, so that those of like length can be. */
const windowSize = ({ evalBatchSize }: Seq2SeqArgs) => Math.max(1024, 32 * evalBatchSize);

/** Tokenises texts, searches for answers as the options say, and turns them back into texts. */
export class Predictor {
  readonly options: GenerationOptions;
  readonly #parts: ModelParts;
  readonly #args: Seq2SeqArgs;
  readonly #programs: GenerationPrograms;
  #unfinished = 0;
  #answers = 0;

  constructor(parts: ModelParts, args: Seq2SeqArgs, programs: GenerationPrograms, logitsProcessor?: LogitsProcessor) {
    this.options = generationOptions(parts, args, logitsProcessor);
    this.#parts = parts;
    this.#args = args;
    this.#programs = programs;
  }

  /** Of all answers so far. */
  get cut(): Cut {
    return { unfinished: this.#unfinished, answers: this.#answers, maxLength: this.options.maxLength };
  }

  /** For each text its answers, with what was read for them. */
  async predict(texts: readonly string[], run: AnswerRun = {}): Promise<Prediction[]> {
    let documents: readonly (readonly RetrievedDocument[])[] | undefined;
    const found = await this.#generate(texts, run, {
      onRetrieved: (all) => {
        documents = all;
      },
    });
    const decoding = this.#decoding();
    try {
      const decoded = (await decoding.decode(found.flat().map(({ ids }) => ids))).values();
      return found.map((sequences, index) => ({
        index,
        answers: sequences.map((each) => answerOf(each, decoded.next().value!)),
        ...(documents && { documents: documents[index]! }),
      }));
    } finally {
      await decoding.end();
    }
  }

  /** Answers as they are found, some texts at a time, in no order within those. */
  async *stream(texts: AnyTexts, run: AnswerRun = {}): AsyncGenerator<Prediction, void, void> {
    const decoding = this.#decoding();
    try {
      yield* this.#windows<Prediction>(texts, run, async (window, inWindow, queue, first) => {
        const pending: Promise<void>[] = [];
        let documents: readonly (readonly RetrievedDocument[])[] | undefined;
        await this.#generate(window, inWindow, {
          onRetrieved: (all) => {
            documents = all;
          },
          onAnswers: (source, sequences) => {
            const done = decoding.decode(sequences.map(({ ids }) => ids)).then((decoded) => {
              const answers = sequences.map((sequence, i) => answerOf(sequence, decoded[i]!));
              queue.push({ index: first + source, answers, ...(documents && { documents: documents[source]! }) });
            });
            done.catch((error) => queue.fail(error));
            pending.push(done);
          },
        });
        await Promise.all(pending);
      });
    } finally {
      await decoding.end();
    }
  }

  /** Pieces of answers as they grow. */
  async *streamText(texts: AnyTexts, run: AnswerRun = {}): AsyncGenerator<TextPiece, void, void> {
    const { numBeams, numReturnSequences, decoderStartTokenId } = this.options;
    if (numBeams > 1 || numReturnSequences > 1) {
      fail(
        'predict',
        `only one answer that grows can be streamed as text, not ${numBeams} beams and ${numReturnSequences} answers. ` +
          'Set numBeams and numReturnSequences to 1, or stream whole answers.',
      );
    }
    if (this.#parts.architecture.retrieval?.kind === 'sequence') {
      fail(
        'predict',
        'a rag-sequence chooses between whole answers, so none of them grows. Stream whole answers, or use rag-token.',
      );
    }
    const { target } = this.#parts.tokenizers;
    yield* this.#windows<TextPiece>(texts, run, async (window, inWindow, queue, first) => {
      const streams = window.map(() => {
        const stream = new TextStream(target, this.#decodeOptions);
        return { stream, start: stream.push(decoderStartTokenId) };
      });
      await this.#generate(window, inWindow, {
        onToken: (source, token) => {
          const each = streams[source]!;
          const piece = each.start + (this.#isKnown(token) ? each.stream.push(token) : '');
          each.start = '';
          if (piece !== '') queue.push({ index: first + source, piece, isLast: false });
        },
        onAnswers: (source) => {
          queue.push({ index: first + source, piece: streams[source]!.stream.end(), isLast: true });
        },
      });
    });
  }

  /** Does the work for some texts at a time, and yields what it puts into a queue meanwhile. */
  async *#windows<T>(
    texts: AnyTexts,
    run: AnswerRun,
    work: (window: readonly string[], run: AnswerRun, queue: AsyncQueue<T>, first: number) => Promise<void>,
  ): AsyncGenerator<T, void, void> {
    const { firstIndex = 0, onProgress } = run;
    let first = firstIndex;
    for await (const window of windowsOf(texts, windowSize(this.#args), firstIndex)) {
      const queue = new AsyncQueue<T>();
      const stop = new AbortController();
      const before = first - firstIndex;
      const inWindow = {
        ...run,
        signal: run.signal ? AbortSignal.any([run.signal, stop.signal]) : stop.signal,
        firstIndex: first,
        onProgress: onProgress && ((done: number) => onProgress(before + done)),
      };
      const working = work(window, inWindow, queue, first).then(
        () => queue.end(),
        (error) => queue.fail(error),
      );
      try {
        yield* queue;
      } finally {
        // Whoever stops listening does not leave the model at work.
        stop.abort();
        await working;
      }
      first += window.length;
    }
  }

  async #generate(
    texts: readonly string[],
    { signal, scores, firstIndex = 0, onProgress }: AnswerRun,
    { onRetrieved, ...hooks }: GenerationHooks,
  ): Promise<Sequence[][]> {
    const { maxSeqLength, srcLang, processCount, evalBatchSize, batchTokens } = this.#args;
    const { retrieval } = this.#parts.architecture;
    const sources = await this.#parts.tokenizers.source.encodeBatch(
      texts,
      { maxLength: maxSeqLength, language: srcLang },
      { workers: processCount, signal },
    );
    const settings = {
      ...hooks,
      batchSize: evalBatchSize,
      batchTokens,
      tokenScores: scores,
      firstNumber: firstIndex,
      signal,
      onProgress,
    };
    const search = async () => {
      if (!retrieval) return generate(this.#programs, sources, this.options, settings);
      const retrieved = await lookUp(retrieverOf(this.#parts), sources, signal);
      onRetrieved?.(retrieved.map(({ documents }) => documents));
      return retrieval.kind === 'token'
        ? generateOverDocuments(this.#programs, retrieved, this.options, settings)
        : generateBySequence(this.#programs, retrieval, retrieved, this.options, this.#args.numReturnSequences, {
            ...settings,
            hidesPadding: this.#args.ragHidePadding,
          });
    };
    const found = await search();
    for (const { finished } of found.flat()) {
      this.#answers++;
      if (!finished) this.#unfinished++;
    }
    return found;
  }

  // Simple Transformers asks for this clean-up, whatever the tokenizer's own default.
  get #decodeOptions(): DecodeOptions {
    return { skipSpecialTokens: this.#args.skipSpecialTokens, cleanUpTokenizationSpaces: true };
  }

  /** A vocabulary may be padded beyond the tokenizer's; such ids stand for nothing. */
  #isKnown(id: number): boolean {
    return id < targetSizeOf(this.#parts.tokenizers.target);
  }

  /** Turns ids into texts, in threads where the options ask for them. */
  #decoding(): Decoding {
    const { target } = this.#parts.tokenizers;
    const known = (batch: readonly Int32Array[]) => batch.map((ids) => ids.filter((id) => this.#isKnown(id)));
    if (!this.#args.useMultiprocessedDecoding) {
      return { decode: async (batch) => target.decodeBatch(known(batch), this.#decodeOptions), end: async () => {} };
    }
    const { processCount, multiprocessingChunksize: chunk } = this.#args;
    const pool = new DecoderPool(target, processCount, chunk > 0 ? chunk : undefined);
    return { decode: (batch) => pool.decode(known(batch), this.#decodeOptions), end: () => pool.end() };
  }
}

interface GenerationHooks extends Pick<Parameters<typeof generate>[3], 'onAnswers' | 'onToken'> {
  /** Hears what was found for each text, before any answer. */
  readonly onRetrieved?: (documents: readonly (readonly RetrievedDocument[])[]) => void;
}

/** Questions that are looked up at once. */
const LOOKED_UP_TOGETHER = 64;

async function lookUp(
  retriever: Retriever,
  questions: readonly Int32Array[],
  signal: AbortSignal | undefined,
): Promise<Retrieved[]> {
  const retrieved: Retrieved[] = [];
  for (let start = 0; start < questions.length; start += LOOKED_UP_TOGETHER) {
    signal?.throwIfAborted();
    retrieved.push(...(await retriever.find(questions.slice(start, start + LOOKED_UP_TOGETHER))));
  }
  return retrieved;
}

function answerOf({ ids, score, tokenScores, finished }: Sequence, text: string): Answer {
  return { text, ids, score, tokenScores, finished };
}

/** Texts to answer: all at hand, or as they come. */
export type AnyTexts = Iterable<string> | AsyncIterable<string>;

interface Decoding {
  decode(batch: readonly Int32Array[]): Promise<string[]>;
  end(): Promise<void>;
}

async function* windowsOf(texts: AnyTexts, size: number, firstIndex: number): AsyncGenerator<string[], void, void> {
  let window: string[] = [];
  let index = firstIndex;
  for await (const text of texts) {
    requireText(text, index++);
    window.push(text);
    if (window.length < size) continue;
    yield window;
    window = [];
  }
  if (window.length > 0) yield window;
}

export function requireText(text: unknown, index: number): asserts text is string {
  if (typeof text === 'string') return;
  fail('predict', `text ${index} is ${text === null ? 'null' : `a ${typeof text}`}, not a string.`);
}

/** What a model that looks documents up gives, by text. */
export interface DocumentedAnswers {
  /** With `numReturnSequences` above 1 a list for each text. */
  readonly texts: string[] | string[][];
  /** What was read, best first. */
  readonly documents: readonly (readonly RetrievedDocument[])[];
  /** Of the documents. */
  readonly scores: readonly (readonly number[])[];
}

/** Whether what was read can be given back, and is not asked for together with what has no place beside it. */
export function requireDocuments({ architecture }: ModelParts, { scores }: { readonly scores?: boolean }): void {
  if (!architecture.retrieval) fail('predict', `a ${architecture.type} reads no documents. Leave documents out.`);
  if (scores) {
    fail('predict', 'documents and scores of tokens are given apart. Leave one of them out, or use stream: true.');
  }
}

export function withDocuments(texts: string[] | string[][], found: readonly Prediction[]): DocumentedAnswers {
  const documents = found.map((each) => each.documents!);
  return { texts, documents, scores: documents.map((own) => own.map(({ score }) => score)) };
}
