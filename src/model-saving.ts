import path from 'node:path';
import { type Seq2SeqArgs, toPythonJson } from './args/index.js';
import { saveCheckpoint, type TensorToSave } from './checkpoints/index.js';
import { ARGS_FILE, RAG_TOKENIZERS } from './model-loading.js';
import type { ModelParts } from './model-parts.js';
import { blockShapes, type JsonObject, type ModelPart, QUANTIZED } from './models/index.js';
import { quantizationConfig, withoutQuantization } from './quantization.js';
import { KNOWLEDGE_FOLDER } from './rag-knowledge.js';
import type { Tokenizer } from './tokenizers/index.js';

type FileContent = string | Uint8Array;

/** Files that are saved with a model and are not the model: the state of its training. */
export interface FilesBeside {
  readonly files?: ReadonlyMap<string, string>;
  readonly weights?: ReadonlyMap<string, readonly TensorToSave[]>;
}

/**
 * Writes a directory that Transformers and Simple Transformers load: generic encoder-decoders as the folders `encoder` and
 * `decoder`, all others, and those whose sides are joined by a projection, as one.
 */
export async function saveModel(
  directory: string,
  parts: ModelParts,
  args: Seq2SeqArgs,
  beside: FilesBeside = {},
): Promise<void> {
  const { architecture, generationConfig } = parts;
  const files = new Map<string, FileContent>([[ARGS_FILE, json(toPythonJson(args))]]);
  const weights = new Map<string, readonly TensorToSave[]>();
  for (const part of architecture.parts) {
    const place = (name: string) => (part.folder === '' ? name : `${part.folder}/${name}`);
    const { bits } = parts.weights;
    const config = {
      ...withoutQuantization(configOf(parts, part)),
      architectures: [part.className],
      torch_dtype: 'float32',
      ...(bits !== 32 && { quantization_config: quantizationConfig(bits) }),
    };
    files.set(place('config.json'), json(config));
    weights.set(place('model.safetensors'), tensorsOf(parts, part));
  }
  for (const [folder, tokenizer] of tokenizerFolders(parts)) {
    for (const [name, content] of tokenizer.files()) files.set(folder === '' ? name : `${folder}/${name}`, content);
  }
  if (generationConfig) files.set('generation_config.json', json(generationConfig));
  for (const [name, content] of beside.files ?? []) files.set(name, content);
  for (const [name, tensors] of beside.weights ?? []) weights.set(name, tensors);
  await saveCheckpoint(directory, { files, weights });
}

/** Leaves the knowledge of a model that retrieves beside it, if the options say so. */
export async function saveKnowledge(
  directory: string,
  { retriever }: ModelParts,
  { saveKnowledgeDataset }: Seq2SeqArgs,
): Promise<void> {
  if (saveKnowledgeDataset) await retriever?.knowledge.saveTo?.(path.join(directory, KNOWLEDGE_FOLDER));
}

/** A half's config.json; the decoder's also says where answers start and end, which has no other place. */
function configOf({ config }: ModelParts, { folder }: ModelPart): JsonObject {
  if (folder === '') return config;
  const half = config[folder] as JsonObject;
  if (folder === 'encoder') return half;
  const { decoder_start_token_id, eos_token_id, pad_token_id } = config;
  return { ...half, decoder_start_token_id, eos_token_id, pad_token_id };
}

function tensorsOf({ weights }: ModelParts, { prefix }: ModelPart): TensorToSave[] {
  return [...weights.specs.values()]
    .filter(({ name }) => name.startsWith(prefix))
    .flatMap(({ name, shape, copies = [] }): TensorToSave[] => {
      const matrix = weights.quantized.get(name);
      const within = name.slice(prefix.length);
      if (!matrix) {
        const data = weights.array(name);
        return [name, ...copies].map((each) => ({ name: each.slice(prefix.length), shape, data }));
      }
      const { rows, scales } = blockShapes(matrix.shape, matrix.blocks);
      return [
        { name: within, shape: rows, data: matrix.values },
        { name: `${within}${QUANTIZED.scales}`, shape: scales, data: matrix.scales },
      ];
    });
}

export function tokenizerFolders({ architecture, tokenizers }: ModelParts): [folder: string, tokenizer: Tokenizer][] {
  const { source, target } = tokenizers;
  if (architecture.retrieval) {
    return [
      [RAG_TOKENIZERS[0], source],
      [RAG_TOKENIZERS[1], target],
    ];
  }
  const isOne = architecture.parts.length === 1 && source === target;
  return isOne
    ? [['', source]]
    : [
        ['encoder', source],
        ['decoder', target],
      ];
}

export const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
