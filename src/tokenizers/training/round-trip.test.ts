import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadTokenizer, tokenizerFamilies } from '../load.js';
import { memorySource } from '../source.js';
import { trainableTypes } from './options.js';
import { trainTokenizer } from './train.js';

const corpus = readFileSync(new URL('../../../tests/fixtures/tokenizers/trained/corpus.txt', import.meta.url), 'utf8');
const texts = corpus.split('\n').slice(0, -1);
const cases = Object.entries(trainableTypes).flatMap(([type, modelTypes]) =>
  modelTypes.map((modelType) => ({ type: type as keyof typeof trainableTypes, modelType })),
);

describe.each(cases)('a trained $type tokenizer of $modelType', ({ type, modelType }) => {
  it.runIf(tokenizerFamilies.includes(modelType))(
    'has as many tokens as asked for, and is the same when saved and loaded',
    async () => {
      const tokenizer = await trainTokenizer(texts, { type, modelType, vocabSize: 3000 });
      expect(tokenizer.vocabSize).toBe(3000);
      const loaded = loadTokenizer(memorySource(tokenizer.files()), modelType);
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

describe('character coverage', () => {
  const texts = [...Array.from({ length: 400 }, () => 'two cats and a dog'), 'zwölf'];
  const train = async (characterCoverage?: number) => {
    const warnings: string[] = [];
    const onWarning = (message: string) => void warnings.push(message);
    const tokenizer = await trainTokenizer(texts, { type: 'unigram', vocabSize: 40, characterCoverage, onWarning });
    return { tokenizer, warnings: warnings.filter((message) => message.includes('coverage')) };
  };

  it('leaves rare characters out by default, and names them; 1 keeps all', async () => {
    const { tokenizer, warnings } = await train();
    expect(warnings).toEqual([
      expect.stringMatching(/^tokenizer: \d characters are rarer .* unknown: .*ö.* Raise it to 1/),
    ]);
    expect([...tokenizer.encode('zwölf')]).toContain(tokenizer.special.unk);
    const all = await train(1);
    expect(all.warnings).toEqual([]);
    expect(all.tokenizer.decode(all.tokenizer.encode('zwölf'), { skipSpecialTokens: true })).toBe('zwölf');
  });

  it('is a share, and for unigram', async () => {
    await expect(train(2)).rejects.toThrow('tokenizer: the character coverage is 2. Give a share from 0.5 to 1.');
    await expect(trainTokenizer(texts, { type: 'bpe', vocabSize: 300, characterCoverage: 1 })).rejects.toThrow(
      'tokenizer: character coverage is for unigram',
    );
  });
});
