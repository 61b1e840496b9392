import type { Seq2SeqArgs } from './args/index.js';
import { type GenerationPrograms, generate, resolveGenerationOptions } from './generation/index.js';
import { type ModelParts, targetSizeOf } from './model-parts.js';
import { pick } from './pick.js';

/** The answers to texts, in their order, and how many of them were cut off. */
export interface Answers {
  /** For each text its answers, best first. */
  readonly texts: string[][];
  readonly unfinished: number;
  readonly count: number;
  readonly maxLength: number;
}

export interface AnswerRun {
  readonly onProgress?: ((done: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Tokenises texts, searches for answers as the options say, and turns them back into texts. */
export async function answer(
  { architecture, tokenizers, config, generationConfig }: ModelParts,
  args: Seq2SeqArgs,
  programs: GenerationPrograms,
  texts: readonly string[],
  { onProgress, signal }: AnswerRun = {},
): Promise<Answers> {
  const generation = resolveGenerationOptions(
    {
      ...pick(args, 'numBeams', 'lengthPenalty', 'earlyStopping', 'maxLength', 'maxNewTokens', 'minLength'),
      ...pick(args, 'repetitionPenalty', 'noRepeatNgramSize', 'numReturnSequences', 'doSample', 'temperature'),
      topK: args.topK ?? null,
      topP: args.topP ?? null,
      seed: args.manualSeed ?? null,
      ...languageToken(architecture.languageCode, tokenizers, args.tgtLang),
    },
    generationConfig ?? {},
    config,
    architecture.generationDefaults,
  );
  const sources = await tokenizers.source.encodeBatch(
    texts,
    { maxLength: args.maxSeqLength, language: args.srcLang },
    { workers: args.processCount, signal },
  );
  const found = await generate(programs, sources, generation, { batchSize: args.evalBatchSize, signal, onProgress });

  // Simple Transformers asks for this clean-up, whatever the tokenizer's own default.
  const decode = { skipSpecialTokens: args.skipSpecialTokens, cleanUpTokenizationSpaces: true };
  // A vocabulary may be padded beyond the tokenizer's; such ids stand for nothing.
  const known = (id: number) => id < targetSizeOf(tokenizers.target);
  return {
    texts: found.map((sequences) =>
      tokenizers.target.decodeBatch(
        sequences.map(({ ids }) => ids.filter(known)),
        decode,
      ),
    ),
    unfinished: found.flat().filter((sequence) => !sequence.finished).length,
    count: found.flat().length,
    maxLength: generation.maxLength,
  };
}

/** The target's language code where the model is told it by a token. */
function languageToken(
  languageCode: ModelParts['architecture']['languageCode'],
  { target }: ModelParts['tokenizers'],
  language: string,
) {
  if (languageCode === undefined) return {};
  // Refuses what is no language, with those that are.
  target.encode('', { target: true, language });
  return { [languageCode]: target.idOf(language)! };
}
