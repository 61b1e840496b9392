import { InputFile } from './input-file.js';

export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

/** Far above any real config or index; a larger file was given by mistake. */
const largestFile = 100_000_000;

const remedy = 'Download it again, or mend it in a text editor.';

interface JsonOptions {
  /** Refuses an object that has one key twice, which JSON.parse lets pass in silence. */
  readonly uniqueKeys?: boolean;
  /** Opens error messages. */
  readonly area?: string;
}

/** The object a JSON file holds. */
export function readJsonObject(path: string, options?: JsonOptions): JsonObject {
  const file = new InputFile(path, options?.area);
  try {
    if (file.size > largestFile)
      file.refuse(`has ${file.size} bytes, which no JSON file of a model has`, 'Check the path.');
    if (file.size === 0) file.refuse('is empty');
    return parseJsonObject(file, file.bytes(0, file.size), options);
  } finally {
    file.close();
  }
}

/** The object that bytes of `file` spell. */
export function parseJsonObject(
  file: InputFile,
  bytes: Uint8Array,
  { uniqueKeys = false }: JsonOptions = {},
): JsonObject {
  let text: string;
  let value: JsonValue;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    value = JSON.parse(text) as JsonValue;
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : 'it is not UTF-8 text';
    return file.refuse(`cannot be read as JSON: ${reason}`, remedy, error);
  }
  if (!isJsonObject(value)) return file.refuse(`holds ${kindOf(value)} where a JSON object is due`, remedy);
  const duplicate = uniqueKeys ? duplicateKey(text) : undefined;
  if (duplicate !== undefined) file.refuse(`names "${duplicate}" twice in one JSON object`, remedy);
  return value;
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: JsonValue): string {
  return value === null
    ? 'null'
    : Array.isArray(value)
      ? 'a list'
      : typeof value === 'object'
        ? 'an object'
        : `a ${typeof value}`;
}

/** A JSON value in a message: short lists and plain values as they are, others by their kind. */
export function showJson(value: JsonValue | undefined): string {
  const plain = (each: JsonValue | undefined) => typeof each !== 'object' || each === null;
  const short = plain(value) || (Array.isArray(value) && value.length <= 8 && value.every(plain));
  return short ? String(JSON.stringify(value)).slice(0, 200) : kindOf(value as JsonValue);
}

/** The first key that one object of a valid JSON text has twice. */
function duplicateKey(text: string): string | undefined {
  const objects: Set<string>[] = [];
  const colon = /\s*:/y;
  let opened: number | undefined;
  // Backslashes stand in strings only, each before one character that it escapes.
  for (const { 0: token, index } of text.matchAll(/\\.|["{}]/g)) {
    if (opened === undefined) {
      if (token === '{') objects.push(new Set());
      else if (token === '}') objects.pop();
      else opened = index;
    } else if (token === '"') {
      colon.lastIndex = index + 1;
      if (colon.test(text)) {
        const key = JSON.parse(text.slice(opened, index + 1)) as string;
        const keys = objects[objects.length - 1]!;
        if (keys.has(key)) return key;
        keys.add(key);
      }
      opened = undefined;
    }
  }
  return undefined;
}
