import { join } from 'node:path';
import type { z } from 'zod';
import { fail } from '../errors.js';
import { REMEDY, type TokenizerSource } from './source.js';

/** A JSON file of a tokenizer's folder, if it is there, checked against `schema`. */
export function readJson<S extends z.ZodType>(files: TokenizerSource, name: string, schema: S): z.infer<S> | undefined {
  const text = files.readText(name);
  if (text === undefined) return undefined;
  const path = join(files.place, name);
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
