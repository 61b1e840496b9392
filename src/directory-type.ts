import { existsSync } from 'node:fs';
import path from 'node:path';
import { checkpointLayout, readJsonObject } from './checkpoints/index.js';
import { fail } from './errors.js';
import { type ModelType, modelTypes } from './model-types.js';

/** The type of the model that a directory holds, by its config.json and, of an mBART, its tokenizer's. */
export function typeOfDirectory(directory: string): ModelType {
  if (!existsSync(directory)) fail('model', `there is no directory ${directory}. Check the path.`);
  const isHalves = checkpointLayout(directory) === 'encoder+decoder';
  const config = readJsonObject(path.join(directory, isHalves ? 'encoder' : '', 'config.json'));
  const encoder = config.encoder as { model_type?: unknown } | undefined;
  const found = String(encoder?.model_type ?? config.model_type);
  if (Object.hasOwn(modelTypes, found))
    return found === 'mbart' && isMbart50(directory) ? 'mbart50' : (found as ModelType);
  return fail(
    'model',
    `${directory} holds a model of type ${found}, which is not supported; supported are: ${Object.keys(modelTypes).join(', ')}.`,
  );
}

function isMbart50(directory: string): boolean {
  const place = path.join(directory, 'tokenizer_config.json');
  return existsSync(place) && String(readJsonObject(place).tokenizer_class).startsWith('MBart50');
}
