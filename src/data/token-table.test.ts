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
    const rows = Array.from({ length: 5001 }, (_, i) => ({ inputText: `${i}`, targetText: '' }));
    const done: number[] = [];
    const limits = { maxSourceLength: 8, maxTargetLength: 8 };
    const { sources } = await TokenTable.encode(rows, tokenizers, limits, { onProgress: (count) => done.push(count) });
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(done.length).toBeGreaterThan(5);
    expect(done.at(-1)).toBe(5001);
    expect([...sources.tokens(4999)]).toEqual(ids('4999'));
    expect((await TokenTable.encode([], tokenizers, limits)).targets.length).toBe(0);
  });

  test.each([1, 2])('%d threads give the same table, and name the row that cannot be tokenised', async (workers) => {
    const rows = Array.from({ length: 950 }, (_, i) => ({ inputText: 'ab'.repeat(i % 7), targetText: `${i}` }));
    const limits = { maxSourceLength: 9, maxTargetLength: 4 };
    const threads = { workers, always: true, chunk: 100 };
    const encoded = await TokenTable.encode(rows, tokenizers, limits, { threads });
    expect(encoded).toEqual(await TokenTable.encode(rows, tokenizers, limits));
    expect(encoded.cutSources).toBeGreaterThan(300);
    expect(encoded.cutTargets).toBe(850);
    const wrong = rows.with(731, { inputText: 7 as unknown as string, targetText: '' });
    await expect(TokenTable.encode(wrong, tokenizers, limits, { threads })).rejects.toThrow(
      'tokenizer: only a string can be tokenised, not 7. This is text 732 of 950.',
    );
  });

  test('a limit without room for a token is refused', async () => {
    const rows = [{ inputText: 'a', targetText: 'b' }];
    await expect(TokenTable.encode(rows, tokenizers, { maxSourceLength: 1, maxTargetLength: 8 })).rejects.toThrow(
      'tokenizer: a length of 1 has no room',
    );
  });
});
