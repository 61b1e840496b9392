import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { fail } from '../errors.js';

const REMEDY = 'Download the file again, or save the tokenizer anew.';

/** The text of a file of a tokenizer's folder, if it is there. */
export function readText(directory: string, name: string): string | undefined {
  const path = join(directory, name);
  if (!existsSync(path)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    const reason = error instanceof TypeError ? 'it is not UTF-8 text' : (error as Error).message;
    return fail('tokenizer', `${path} cannot be read: ${reason}. ${REMEDY}`, error);
  }
}

/** A JSON file of a tokenizer's folder, if it is there, checked against `schema`. */
export function readJson<S extends z.ZodType>(directory: string, name: string, schema: S): z.infer<S> | undefined {
  const text = readText(directory, name);
  if (text === undefined) return undefined;
  const path = join(directory, name);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    fail('tokenizer', `${path} is not JSON: ${(error as Error).message}. ${REMEDY}`, error);
  }
  return check(schema, value, path);
}

/** The value as the schema has it, or an error that names the field and what it holds. */
export function check<S extends z.ZodType>(schema: S, value: unknown, path: string): z.infer<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  let found = value;
  for (const key of issue.path) found = (found as Record<PropertyKey, unknown> | null | undefined)?.[key];
  const shown = (JSON.stringify(found) ?? 'nothing').slice(0, 80);
  return fail('tokenizer', `${path}: ${issue.path.join('.') || 'the whole'} is ${shown}: ${issue.message}. ${REMEDY}`);
}

/** JSON as Python's tokenizers are saved: sorted keys, two spaces, integers written out. */
export function pythonJson(value: unknown): string {
  const sorted = JSON.stringify(
    value,
    (_, inner) =>
      typeof inner === 'object' && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner as object).sort(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
    2,
  );
  return `${sorted.replace(/: 1e\+30\b/g, `: ${BigInt(1e30)}`)}\n`;
}
