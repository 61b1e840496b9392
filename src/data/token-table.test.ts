import { describe, expect, test } from 'vitest';
import { bartVocabulary, byteAlphabet, createByteLevelBpe } from '../tokenizers/index.js';
import { TokenTable } from './index.js';

const tokenizer = createByteLevelBpe({ vocab: bartVocabulary(byteAlphabet()), merges: [] });
const tokenizers = { source: tokenizer, target: tokenizer };
const ids = (text: string) => [...tokenizer.encode(text)];

describe('TokenTable', () => {
  test('packs sources and targets, and counts what is cut and what is empty', async () => {
    const rows = [
      { inputText: 'abcd', targetText: 'x' },
      { inputText: '', targetText: 'xyz' },
      { inputText: 'ab', targetText: '' },
      { inputText: 'abc', targetText: '' },
    ];
    const limits = { maxSourceLength: 4, maxTargetLength: 3 };
    const { sources, targets, ...counts } = await TokenTable.encode(rows, tokenizers, limits);
    expect(counts).toEqual({ cutSources: 2, cutTargets: 1, emptySources: 1, emptyTargets: 2 });
    expect(sources.length).toBe(4);
    expect(Array.from({ length: 4 }, (_, i) => [...sources.tokens(i)])).toEqual([
      ids('ab'),
      ids(''),
      ids('ab'),
      ids('ab'),
    ]);
    expect(Array.from({ length: 4 }, (_, i) => targets.lengthOf(i))).toEqual([3, 3, 2, 2]);
    expect([...targets.tokens(1)]).toEqual(ids('x'));
    // Views of one array.
    expect(sources.tokens(0).buffer).toBe(sources.tokens(3).buffer);
  });

  test('reports progress; no rows are a table too', async () => {
    const rows = Array.from({ length: 1300 }, (_, i) => ({ inputText: `${i}`, targetText: '' }));
    const done: number[] = [];
    const limits = { maxSourceLength: 8, maxTargetLength: 8 };
    const { sources } = await TokenTable.encode(rows, tokenizers, limits, (count) => done.push(count));
    expect(done).toEqual([512, 1024, 1300]);
    expect([...sources.tokens(1299)]).toEqual(ids('1299'));
    expect((await TokenTable.encode([], tokenizers, limits)).targets.length).toBe(0);
  });

  test('a limit without room for a token is refused', async () => {
    const rows = [{ inputText: 'a', targetText: 'b' }];
    await expect(TokenTable.encode(rows, tokenizers, { maxSourceLength: 1, maxTargetLength: 8 })).rejects.toThrow(
      'tokenizer: a length of 1 has no room',
    );
  });
});
