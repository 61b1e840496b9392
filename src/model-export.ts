import type { Seq2SeqArgs } from './args/index.js';
import { writeFilesWhole } from './checkpoints/index.js';
import { fail } from './errors.js';
import { decoderModel, encoderModel } from './export/index.js';
import { generationOptions } from './generation-settings.js';
import type { ModelParts } from './model-parts.js';
import { json, tokenizerFolders } from './model-saving.js';
import type { JsonObject, ModelWeights } from './models/index.js';
import { encodeWithWeights, type OnnxModel } from './onnx/index.js';
import { loadTokenizer, marianJson, memorySource, type Tokenizer } from './tokenizers/index.js';

const TOKENIZER_CONFIG = 'tokenizer_config.json';

/**
 * Writes a directory that transformers.js and Optimum run: `onnx/encoder_model.onnx`, `onnx/decoder_model_merged.onnx` with
 * the cache, configs and tokenizers. All of it appears at once.
 */
export async function exportModel(directory: string, parts: ModelParts, args: Seq2SeqArgs): Promise<void> {
  const { architecture, weights } = parts;
  const isZero = (name: string) => weights.isZero(name);
  if (architecture.retrieval) {
    fail(
      'export',
      `a ${architecture.type} looks documents up, which ONNX files cannot. Export its generator, loaded as a bart, alone.`,
    );
  }
  const files = new Map<string, string | Uint8Array>([
    ['config.json', json(exportedConfig(parts))],
    ['generation_config.json', json(exportedGenerationConfig(parts, args))],
  ]);
  for (const [folder, tokenizer] of tokenizerFolders(parts)) {
    for (const [name, content] of exportedTokenizer(tokenizer, parts, args)) {
      files.set(folder === '' ? name : `${folder}/${name}`, content);
    }
  }
  await writeFilesWhole(
    directory,
    [
      ...[...files].map(([name, content]) => ({ name, pieces: [Buffer.from(content)] })),
      { name: 'onnx/encoder_model.onnx', pieces: withWeights(encoderModel(architecture, isZero), weights) },
      { name: 'onnx/decoder_model_merged.onnx', pieces: withWeights(decoderModel(architecture, isZero), weights) },
    ],
    { area: 'export' },
  );
}

const withWeights = (model: OnnxModel, weights: ModelWeights) =>
  encodeWithWeights(model, (name) => weights.array(name));

function exportedConfig({ architecture, config }: ModelParts) {
  const [part] = architecture.parts;
  const className = architecture.parts.length === 1 ? part!.className : 'EncoderDecoderModel';
  // Transformers knows it by the type; transformers.js takes what doesn't say so for a decoder alone.
  return { ...config, is_encoder_decoder: true, architectures: [className], torch_dtype: 'float32' };
}

/**
 * What the checkpoint says, and what the options settle: of which language answers are, above all, and the rules of greedy
 * search. How long answers get is the options' where the checkpoint is silent.
 */
function exportedGenerationConfig(parts: ModelParts, args: Seq2SeqArgs) {
  const options = generationOptions(parts, args);
  const { decoderStartTokenId, eosTokenId, padTokenId, forcedBosTokenId, forcedEosTokenId, badWordsIds } = options;
  const one = (ids: readonly number[]) => (ids.length === 1 ? ids[0] : ids);
  return {
    ...(parts.config.max_length === undefined && { max_length: options.maxLength }),
    ...parts.generationConfig,
    min_length: options.minLength,
    repetition_penalty: options.repetitionPenalty,
    no_repeat_ngram_size: options.noRepeatNgramSize,
    decoder_start_token_id: decoderStartTokenId,
    eos_token_id: one(eosTokenId),
    pad_token_id: padTokenId,
    ...(forcedBosTokenId !== null && { forced_bos_token_id: forcedBosTokenId }),
    ...(forcedEosTokenId.length > 0 && { forced_eos_token_id: one(forcedEosTokenId) }),
    ...(badWordsIds.length > 0 && { bad_words_ids: badWordsIds }),
  };
}

function exportedTokenizer(tokenizer: Tokenizer, { architecture }: ModelParts, args: Seq2SeqArgs) {
  const isMarked = architecture.languageCode !== undefined;
  const files = new Map((isMarked ? inLanguages(tokenizer, args) : tokenizer).files());
  if (!files.has('tokenizer.json') && tokenizer.kind === 'marian') files.set('tokenizer.json', marianJson(tokenizer));
  return files;
}

/** The tokenizer with the options' languages as those of texts that come without one. */
function inLanguages(tokenizer: Tokenizer, { srcLang, tgtLang }: Seq2SeqArgs): Tokenizer {
  // Refuses what is no language, with those that are.
  tokenizer.encode('', { language: srcLang });
  const files = new Map(tokenizer.files());
  const settings = JSON.parse(files.get(TOKENIZER_CONFIG) as string) as JsonObject;
  files.set(TOKENIZER_CONFIG, json({ ...settings, src_lang: srcLang, tgt_lang: tgtLang }));
  return loadTokenizer(memorySource(files), tokenizer.modelType!);
}
