import { fail } from '../errors.js';

/** Token → id as a map, each id a whole number and no two the same. */
export function checkVocabulary(vocab: object, source: string): ReadonlyMap<string, number> {
  const owners = new Map<number, string>();
  const ids = new Map<string, number>();
  for (const [token, id] of Object.entries(vocab)) {
    if (!Number.isSafeInteger(id) || id < 0)
      fail('tokenizer', `${source}: the id of "${token}" is ${JSON.stringify(id)}. Ids are whole numbers from 0.`);
    if (owners.has(id))
      fail(
        'tokenizer',
        `${source}: "${owners.get(id)}" and "${token}" have the same id, ${id}. Every token needs its own.`,
      );
    owners.set(id, token);
    ids.set(token, id);
  }
  if (ids.size === 0) fail('tokenizer', `${source}: the vocabulary has no tokens.`);
  return ids;
}

export function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
