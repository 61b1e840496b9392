import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadTokenizer, memorySource } from './index.js';

const FIXTURES = new URL('../../tests/fixtures/tokenizers/', import.meta.url).pathname;
const read = <T>(name: string) => JSON.parse(readFileSync(join(FIXTURES, name), 'utf8')) as T;

interface Folder {
  name: string;
  base: 'slow' | 'fast';
  settings: object;
  post: object;
  pre: object;
  added: object[];
  config: object;
}
interface Answers {
  name: string;
  cases: { ids: number[]; decoded?: string; skipped?: string }[];
}

const texts = read<{ text: string }[]>('cases.json').map(({ text }) => text);
const entries = read<(Folder | Answers)[]>('roberta.json');
const answers = new Map(entries.flatMap((entry) => ('cases' in entry ? [[entry.name, entry.cases]] : [])));
const folders = entries.filter((entry) => 'base' in entry);

/** vocab.json and merges.txt, or tokenizer.json alone, with settings beside them if there are any. */
function filesOf({ base, settings }: Folder): Map<string, string> {
  const names = base === 'fast' ? ['tokenizer.json'] : ['vocab.json', 'merges.txt'];
  const files = new Map(names.map((name) => [name, readFileSync(join(FIXTURES, base, name), 'utf8')]));
  if (Object.keys(settings).length > 0) files.set('tokenizer_config.json', JSON.stringify(settings));
  return files;
}

describe.each(folders.map((folder) => [folder.name, folder.base, folder] as const))(
  '%s, %s files',
  (name, _, folder) => {
    const loaded = loadTokenizer(memorySource(filesOf(folder)), 'roberta');
    const saved = loaded.files();
    const cases = answers.get(name)!;

    test.each([
      ['loaded', loaded],
      ['saved', loadTokenizer(memorySource(saved), 'roberta')],
    ])('%s: ids and decoded text of the reference', (_, tokenizer) => {
      expect(cases.length).toBe(texts.length);
      expect(cases.length).toBeGreaterThan(500);
      const wrong = texts.filter((text, i) => String(tokenizer.encode(text)) !== String(cases[i]!.ids));
      expect(wrong).toEqual([]);
      for (const { ids, decoded, skipped } of cases) {
        if (decoded === undefined) continue;
        expect(tokenizer.decode(ids)).toBe(decoded);
        expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(skipped);
      }
    });

    test('saved as the reference saves it', () => {
      const json = (file: string) => JSON.parse(saved.get(file) as string) as Record<string, unknown>;
      const { post_processor, pre_tokenizer, added_tokens } = json('tokenizer.json');
      expect(post_processor).toEqual(folder.post);
      expect(pre_tokenizer).toEqual(folder.pre);
      expect(added_tokens).toEqual(folder.added);
      expect(json('tokenizer_config.json')).toMatchObject(folder.config);
    });
  },
);

test('the settings make a difference', () => {
  const lists = [...answers.values()].map((cases) => JSON.stringify(cases.map(({ ids }) => ids)));
  expect(new Set(lists).size).toBe(2);
  expect(lists[0]).toBe(lists[2]);
});
