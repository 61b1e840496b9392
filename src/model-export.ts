import type { Seq2SeqArgs } from './args/index.js';
import { writeFilesWhole } from './checkpoints/index.js';
import { decoderModel, encoderModel } from './export/index.js';
import { generationOptions } from './generation-settings.js';
import type { ModelParts } from './model-parts.js';
import { json, tokenizerFolders } from './model-saving.js';
import type { ModelWeights } from './models/index.js';
import { encodeWithWeights, type OnnxModel } from './onnx/index.js';
import { marianJson, type Tokenizer } from './tokenizers/index.js';

/**
 * Writes a directory that transformers.js and Optimum run: `onnx/encoder_model.onnx`, `onnx/decoder_model_merged.onnx` with
 * the cache, configs and tokenizers. All of it appears at once.
 */
export async function exportModel(directory: string, parts: ModelParts, args: Seq2SeqArgs): Promise<void> {
  const { architecture, weights } = parts;
  const isZero = (name: string) => weights.isZero(name);
  const files = new Map<string, string | Uint8Array>([
    ['config.json', json(exportedConfig(parts))],
    ['generation_config.json', json(exportedGenerationConfig(parts, args))],
  ]);
  for (const [folder, tokenizer] of tokenizerFolders(parts)) {
    for (const [name, content] of exportedTokenizer(tokenizer)) {
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
  return { ...config, architectures: [className], torch_dtype: 'float32' };
}

/** What the checkpoint says, and the tokens that the options settle: of which language answers are, above all. */
function exportedGenerationConfig(parts: ModelParts, args: Seq2SeqArgs) {
  const { decoderStartTokenId, eosTokenId, padTokenId, forcedBosTokenId, forcedEosTokenId, badWordsIds } =
    generationOptions(parts, args);
  const one = (ids: readonly number[]) => (ids.length === 1 ? ids[0] : ids);
  return {
    ...parts.generationConfig,
    decoder_start_token_id: decoderStartTokenId,
    eos_token_id: one(eosTokenId),
    pad_token_id: padTokenId,
    ...(forcedBosTokenId !== null && { forced_bos_token_id: forcedBosTokenId }),
    ...(forcedEosTokenId.length > 0 && { forced_eos_token_id: one(forcedEosTokenId) }),
    ...(badWordsIds.length > 0 && { bad_words_ids: badWordsIds }),
  };
}

function exportedTokenizer(tokenizer: Tokenizer): Map<string, string | Uint8Array> {
  const files = new Map(tokenizer.files());
  if (!files.has('tokenizer.json') && tokenizer.kind === 'marian') files.set('tokenizer.json', marianJson(tokenizer));
  return files;
}
