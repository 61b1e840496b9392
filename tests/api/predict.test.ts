import { describe, expect, it } from 'vitest';
import type { Seq2SeqArgsInput } from '../../src/index.js';
import { fixture, linesOf, loadBart } from '../support.js';

const lines = linesOf('base');

async function answersOf(args: Seq2SeqArgsInput, texts: readonly string[] = lines) {
  const model = await loadBart(fixture('base'), { args });
  try {
    return await model.predict(texts);
  } finally {
    model.dispose();
  }
}

describe('answers', () => {
  it.each([
    ['greedy', {}],
    ['of beams', { numBeams: 4, maxLength: 16 }],
    ['of several beams', { numBeams: 3, numReturnSequences: 3, earlyStopping: false, lengthPenalty: 0.5 }],
    ['with processors', { numBeams: 2, repetitionPenalty: 1.5, noRepeatNgramSize: 2, minLength: 6 }],
    ['sampled', { doSample: true, temperature: 1.5, topK: 40, manualSeed: 4 }],
    ['sampled, several', { doSample: true, topP: 0.9, manualSeed: 4, numReturnSequences: 2 }],
  ] satisfies [string, Seq2SeqArgsInput][])('%s do not depend on the batch', async (_, args) => {
    const texts = [...lines, ...lines.map((line) => `${line} ${line}`), ...lines].reverse();
    const alone = await answersOf({ ...args, evalBatchSize: 1 }, texts);
    expect(alone).toHaveLength(texts.length);
    for (const evalBatchSize of [5, 64]) expect(await answersOf({ ...args, evalBatchSize }, texts)).toEqual(alone);
  });

  it('come in the order of the texts, the empty one included', async () => {
    const model = await loadBart(fixture('base'), { args: { maxLength: 16 } });
    const answers = (await model.predict(lines)) as string[];
    expect(lines[0]).toBe('');
    expect(new Set(answers).size).toBeGreaterThan(lines.length / 2);
    expect(await model.predict([...lines].reverse())).toEqual([...answers].reverse());
    for (const [i, line] of lines.entries()) expect(await model.predict([line])).toEqual([answers[i]]);
    expect(await model.predict([])).toEqual([]);
    model.dispose();
  });

  it('are lists where several are asked for, the best first', async () => {
    const beams = { numBeams: 3, maxLength: 16 };
    const best = await answersOf(beams);
    const lists = (await answersOf({ ...beams, numReturnSequences: 3 })) as string[][];
    expect(lists.map((list) => list.length)).toEqual(lines.map(() => 3));
    expect(lists.map(([first]) => first)).toEqual(best);
  });

  it('that are sampled are those of the seed', async () => {
    const args = { doSample: true, temperature: 2, maxLength: 16 };
    const first = await answersOf({ ...args, manualSeed: 1 });
    expect(await answersOf({ ...args, manualSeed: 1 })).toEqual(first);
    expect(await answersOf({ ...args, manualSeed: 2 })).not.toEqual(first);
    expect(await answersOf(args)).not.toEqual(await answersOf(args));
  });

  it('that were cut are counted', async () => {
    const model = await loadBart(fixture('base'), { args: { maxLength: 3 } });
    const heard: number[][] = [];
    const progress: number[] = [];
    await model.predict(lines, {
      onUnfinished: (...cut) => heard.push(cut),
      onProgress: (done) => progress.push(done),
    });
    expect(heard).toHaveLength(1);
    const [unfinished, answers, maxLength] = heard[0]!;
    expect(unfinished).toBeGreaterThan(0);
    expect([answers, maxLength]).toEqual([lines.length, 3]);
    expect(progress.at(-1)).toBe(lines.length);
    model.dispose();
  });
});

describe('what is not a list of texts', () => {
  it.each([
    ['a text', 'predict: a list of texts is needed, not one text. Pass [text].'],
    [undefined, 'predict: a list of texts is needed, not undefined.'],
    [{ 0: 'a' }, 'predict: a list of texts is needed, not object.'],
    [['a', 7], 'predict: text 1 is a number, not a string.'],
    [[null], 'predict: text 0 is null, not a string.'],
  ])('is refused: %j', async (texts, message) => {
    const model = await loadBart(fixture('base'));
    await expect(model.predict(texts as string[])).rejects.toThrow(message);
    model.dispose();
  });
});
