import type { Seq2SeqArgs } from './args/index.js';
import { fail, nearest } from './errors.js';
import { type GenerationArgs, type GenerationOptions, resolveGenerationOptions } from './generation/index.js';
import type { ModelParts } from './model-parts.js';
import { pick } from './pick.js';
import type { Tokenizer } from './tokenizers/index.js';

/** How a model generates: its options, which speak of texts and tokens, as ids. */
export function generationOptions(
  { architecture, tokenizers, config, generationConfig }: ModelParts,
  args: Seq2SeqArgs,
  logitsProcessor?: GenerationArgs['logitsProcessor'],
): GenerationOptions {
  const { target } = tokenizers;
  // As Transformers: each document of a rag-sequence is answered by the generator alone, with as many answers as beams.
  const isSequence = architecture.retrieval?.kind === 'sequence';
  return resolveGenerationOptions(
    {
      ...pick(args, 'numBeams', 'lengthPenalty', 'earlyStopping', 'maxLength', 'maxNewTokens', 'minLength'),
      ...pick(args, 'minNewTokens', 'repetitionPenalty', 'noRepeatNgramSize', 'numBeamGroups'),
      numReturnSequences: isSequence ? args.numBeams : args.numReturnSequences,
      ...pick(args, 'diversityPenalty', 'doSample', 'temperature', 'minP', 'typicalP'),
      topK: args.topK ?? null,
      topP: args.topP ?? null,
      seed: args.manualSeed ?? null,
      ...languageToken(architecture.languageCode, target, args.tgtLang),
      ...forcedToken('forcedBosToken', args.forcedBosToken, target),
      ...forcedToken('forcedEosToken', args.forcedEosToken, target),
      ...(args.badWords.length > 0 && { badWordsIds: args.badWords.flatMap((word) => badWordIds(word, target)) }),
      ...(args.prefix !== undefined && { prefixIds: idsOf(args.prefix, target) }),
      logitsProcessor,
    },
    (isSequence ? undefined : generationConfig) ?? {},
    isSequence ? (config.generator as ModelParts['config']) : config,
    architecture.generationDefaults,
  );
}

/** The target's language code where the model is told it by a token. */
function languageToken(
  languageCode: ModelParts['architecture']['languageCode'],
  target: Tokenizer,
  language: string,
): GenerationArgs {
  if (languageCode === undefined) return {};
  // Refuses what is no language, with those that are.
  target.encode('', { target: true, language });
  return { [languageCode]: target.idOf(language)! };
}

function forcedToken(
  name: 'forcedBosToken' | 'forcedEosToken',
  token: string | undefined,
  target: Tokenizer,
): GenerationArgs {
  if (token === undefined) return {};
  if (token === '') return { [`${name}Id`]: null };
  const id = target.idOf(token);
  if (id === undefined) {
    const names = Array.from({ length: target.targetVocabSize ?? target.vocabSize }, (_, each) => target.tokenOf(each));
    const close = nearest(
      token,
      names.filter((each) => each !== undefined),
    );
    fail('args', `${name} is "${token}", which is no token.${close === undefined ? '' : ` Did you mean "${close}"?`}`);
  }
  return { [`${name}Id`]: id };
}

function idsOf(text: string, target: Tokenizer): number[] {
  return [...target.encode(text, { target: true, addSpecialTokens: false })];
}

/** A word as it is tokenised at the start of a text or inside a word, and behind a space. */
function badWordIds(word: string, target: Tokenizer): number[][] {
  const ways = [idsOf(word, target), idsOf(` ${word.trimStart()}`, target)].filter((ids) => ids.length > 0);
  if (ways.length === 0) fail('args', `badWords has ${JSON.stringify(word)}, which has no tokens. Leave it out.`);
  return [...new Map(ways.map((ids) => [ids.join(), ids])).values()];
}
