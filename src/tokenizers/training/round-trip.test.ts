import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadTokenizer } from '../load.js';
import { trainableTypes } from './options.js';
import { trainTokenizer } from './train.js';

const corpus = readFileSync(new URL('../../../tests/fixtures/tokenizers/trained/corpus.txt', import.meta.url), 'utf8');
const texts = corpus.split('\n').slice(0, -1);
const folder = mkdtempSync(join(tmpdir(), 'seq2seq-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const cases = Object.entries(trainableTypes).flatMap(([type, modelTypes]) =>
  modelTypes.map((modelType) => ({ type: type as keyof typeof trainableTypes, modelType })),
);

/** Whether this model type's tokenizers can be loaded at all. */
function isLoadable(modelType: string): boolean {
  try {
    loadTokenizer(join(folder, 'nowhere'), modelType);
  } catch (error) {
    return (error as Error).message.includes('is not a directory');
  }
  return false;
}

describe.each(cases)('a trained $type tokenizer of $modelType', ({ type, modelType }) => {
  it.runIf(isLoadable(modelType))(
    'has as many tokens as asked for, and is the same when saved and loaded',
    async () => {
      const tokenizer = await trainTokenizer(texts, { type, modelType, vocabSize: 3000 });
      expect(tokenizer.vocabSize).toBe(3000);
      const directory = mkdtempSync(join(folder, modelType));
      for (const [name, content] of tokenizer.files()) writeFileSync(join(directory, name), content);
      const loaded = loadTokenizer(directory, modelType);
      expect(loaded.vocabSize).toBe(3000);
      expect(loaded.special).toEqual(tokenizer.special);
      for (const text of texts.slice(0, 300)) expect(loaded.encode(text)).toEqual(tokenizer.encode(text));

      const text = 'The number of parameters, as in the default format.';
      const ids = tokenizer.encode(text);
      expect(ids.length).toBeLessThan(30);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(text);
    },
  );
});
