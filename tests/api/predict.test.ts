import { describe, expect, it, vi } from 'vitest';
import type { Seq2SeqArgsInput } from '../../src/index.js';
import { DecoderPool } from '../../src/tokenizers/index.js';
import { fixture, linesOf, loadBart, rowsOf } from '../support.js';

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

describe('answers with their scores', () => {
  it.each<[string, Seq2SeqArgsInput]>([
    ['greedy', { lengthPenalty: 1 }],
    ['sampled, several', { doSample: true, manualSeed: 3, numReturnSequences: 2, lengthPenalty: 0.5 }],
    ['of beams', { numBeams: 3, numReturnSequences: 3 }],
  ])('%s', async (_, args) => {
    const model = await loadBart(fixture('base'), { args: { maxLength: 16, silent: true, ...args } });
    const texts = (await model.predict(lines)) as (string | string[])[];
    const scored = await model.predict(lines, { scores: true });
    expect(scored.map((answers) => answers.map(({ text }) => text))).toEqual(texts.map((each) => [each].flat()));
    for (const { ids, score, tokenScores } of scored.flat()) {
      expect(tokenScores.length).toBe(ids.length - 1);
      const sum = tokenScores.reduce((a, b) => a + b, 0);
      expect(score).toBeCloseTo(sum / tokenScores.length ** model.args.lengthPenalty, 4);
    }
    model.dispose();
  });
});

describe('a stream', () => {
  const many = Array.from({ length: 1200 }, (_, i) => lines[i % lines.length]!);

  it('has all answers, those to short texts before others that wait, from an iterable that is read as far as it is needed', async () => {
    const model = await loadBart(fixture('base'), { args: { maxLength: 12, silent: true, evalBatchSize: 16 } });
    const expected = await model.predict(many);
    let [taken, seen] = [0, 0];
    async function* endless() {
      for (const line of many) {
        taken++;
        yield line;
      }
    }
    const found: string[] = [];
    const order: number[] = [];
    for await (const { index, answers } of model.predict(endless(), { stream: true })) {
      if (seen++ === 0) expect(taken).toBe(1024);
      found[index] = answers[0]!.text;
      order.push(index);
    }
    expect(found).toEqual(expected);
    expect(order).not.toEqual([...order].sort((a, b) => a - b));
    model.dispose();
  });

  it('of text has pieces that add up to the answers', async () => {
    for (const args of [
      { skipSpecialTokens: false },
      {},
      { doSample: true, manualSeed: 4 },
    ] satisfies Seq2SeqArgsInput[]) {
      const model = await loadBart(fixture('base'), { args: { maxLength: 24, silent: true, ...args } });
      const found = lines.map(() => '');
      const ended = new Set<number>();
      let pieces = 0;
      for await (const { index, piece, isLast } of model.predict(lines, { stream: 'text' })) {
        expect(ended.has(index)).toBe(false);
        if (isLast) ended.add(index);
        else expect(piece).not.toBe('');
        found[index] += piece;
        pieces++;
      }
      expect(found).toEqual(await model.predict(lines));
      expect(ended.size).toBe(lines.length);
      expect(pieces).toBeGreaterThan(2 * lines.length);
      model.dispose();
    }
  });

  it('that nobody listens to any more ends, and the model is free for other work', async () => {
    const model = await loadBart(fixture('base'), { args: { maxLength: 16, silent: true } });
    for await (const { index } of model.predict(many, { stream: true })) {
      expect(index).toBeGreaterThanOrEqual(0);
      await expect(model.trainModel(rowsOf('base', 'train'))).rejects.toThrow('model: it is predicting.');
      break;
    }
    expect(await model.predict(['a'])).toHaveLength(1);
    const controller = new AbortController();
    const stopped = async () => {
      for await (const _ of model.predict(many, { stream: true, signal: controller.signal })) {
        controller.abort(new Error('enough'));
      }
    };
    await expect(stopped()).rejects.toThrow('enough');
    model.dispose();
  });

  it('samples as in one piece where it begins behind the first text', async () => {
    const args = { doSample: true, manualSeed: 8, maxLength: 12, silent: true };
    const model = await loadBart(fixture('base'), { args });
    const whole = await model.predict(lines);
    expect(await model.predict(lines.slice(3), { firstIndex: 3 })).toEqual(whole.slice(3));
    const found: string[] = [];
    for await (const { index, answers } of model.predict(lines.slice(3), { stream: true, firstIndex: 3 })) {
      found[index] = answers[0]!.text;
    }
    expect(found.slice(3)).toEqual(whole.slice(3));
    model.dispose();
  });

  it('refuses what it cannot be', async () => {
    const model = await loadBart(fixture('base'), { args: { numBeams: 2 } });
    const first = async (options: object, texts: unknown = ['a']) => {
      for await (const _ of model.predict(texts as string[], options as { stream: true }));
    };
    await expect(first({ stream: 'text' })).rejects.toThrow('not 2 beams and 1 answers. Set numBeams');
    await expect(first({ stream: 'words' })).rejects.toThrow('predict: stream is "words". Use true');
    await expect(first({ stream: 'text', scores: true })).rejects.toThrow('pieces of text have no scores');
    await expect(first({ stream: true }, 'a')).rejects.toThrow('texts are needed, not one text');
    await expect(first({ stream: true }, ['a', 7])).rejects.toThrow('text 1 is a number, not a string');
    await expect(first({ stream: true, score: true })).rejects.toThrow('Did you mean "scores"?');
    model.dispose();
  });
});

describe('what answers may say', () => {
  const args = { maxLength: 16, silent: true };

  it.each<[string, Seq2SeqArgsInput]>([
    ['greedy', {}],
    ['beams', { numBeams: 3, numReturnSequences: 3 }],
    ['sampled', { doSample: true, manualSeed: 4 }],
  ])('bad words do not come: %s', async (_, how) => {
    const words = [...new Set((await answersOf({ ...args, ...how })).flat().flatMap((text) => text.split(/\s+/)))];
    const bad = words.filter((word) => /^[a-z]{2,}$/.test(word)).slice(0, 6);
    expect(bad.length).toBeGreaterThan(2);
    const answers = (await answersOf({ ...args, ...how, badWords: bad })).flat();
    for (const answer of answers) for (const word of bad) expect(answer.split(/\s+/)).not.toContain(word);
  });

  it.each<[string, Seq2SeqArgsInput]>([
    ['greedy', {}],
    ['beams', { numBeams: 3, numReturnSequences: 3 }],
    ['sampled', { doSample: true, manualSeed: 4 }],
    ['with rules that see all scores', { repetitionPenalty: 1.5, numBeams: 2 }],
  ])('all begin with a prefix: %s', async (_, how) => {
    const answers = (await answersOf({ ...args, ...how, prefix: 'the rain,' })).flat();
    for (const answer of answers) expect(answer).toMatch(/^the rain,/);
    expect(new Set(answers).size).toBeGreaterThan(lines.length / 2);
  });

  it("a caller's own rule decides", async () => {
    const model = await loadBart(fixture('base'), { args });
    const he = model.decoderTokenizer.idOf('he')!;
    const answers = (await model.predict(lines, {
      logitsProcessor: (tokens, scores) => {
        if (tokens.length >= 2) scores.fill(-Infinity).fill(0, he, he + 1);
      },
    })) as string[];
    for (const answer of answers) expect(answer).toMatch(/(he){10,}$/);
    await expect(
      model.predict(['a'], {
        logitsProcessor: () => {
          throw new Error('no more');
        },
      }),
    ).rejects.toThrow('generation: logitsProcessor failed behind 1 tokens: no more');
    model.dispose();
  });

  it('groups of beams find different answers', async () => {
    const many = { ...args, numBeams: 4, numReturnSequences: 4 };
    const firstWords = (answers: string[][]) =>
      answers.reduce((sum, each) => sum + new Set(each.map((text) => text.trim().split(' ')[0])).size, 0);
    const alike = (await answersOf(many)) as string[][];
    const diverse = (await answersOf({ ...many, numBeamGroups: 4, diversityPenalty: 5 })) as string[][];
    expect(firstWords(diverse)).toBeGreaterThan(firstWords(alike));
  });

  it.each<[Seq2SeqArgsInput, string]>([
    [{ badWords: ['x', ''] }, 'badWords is ["x",""]; it must be a list of texts'],
    [{ forcedBosToken: 'Ġthee' }, 'args: forcedBosToken is "Ġthee", which is no token. Did you mean "Ġthe"?'],
    [{ prefix: 'the rain the rain', maxLength: 4 }, 'start token and prefix take'],
    [{ numBeams: 4, numBeamGroups: 2 }, 'Set diversityPenalty above 0'],
  ])('is refused where it makes no sense: %j', async (wrong, message) => {
    await expect(answersOf(wrong)).rejects.toThrow(message);
  });
});

it('ids become texts in threads where that is asked for', async () => {
  const args = { numBeams: 2, numReturnSequences: 2, maxLength: 16 };
  const alone = await answersOf(args);
  const decode = vi.spyOn(DecoderPool.prototype, 'decode');
  expect(
    await answersOf({ ...args, useMultiprocessedDecoding: true, processCount: 2, multiprocessingChunksize: 3 }),
  ).toEqual(alone);
  expect(decode).toHaveBeenCalledOnce();
  decode.mockRestore();
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
