import { describe, expect, it } from 'vitest';
import { args, SIZES, tokenizer } from '../../examples/dates/recipe.js';
import { createRows } from '../../examples/dates/rows.js';
import {
  english,
  englishNumber,
  englishOrdinal,
  englishYear,
  german,
  germanNumber,
  germanOrdinal,
  germanYear,
} from '../../examples/dates/words.js';
import { trainTokenizer } from '../../src/index.js';

describe('numbers in words', () => {
  it.each([
    [1, 'one', 'ein'],
    [12, 'twelve', 'zwölf'],
    [17, 'seventeen', 'siebzehn'],
    [20, 'twenty', 'zwanzig'],
    [30, 'thirty', 'dreißig'],
    [76, 'seventy-six', 'sechsundsiebzig'],
    [99, 'ninety-nine', 'neunundneunzig'],
  ])('%i is %s, %s', (n, en, de) => {
    expect([englishNumber(n), germanNumber(n)]).toEqual([en, de]);
  });

  it.each([
    [1, 'first', 'erste'],
    [3, 'third', 'dritte'],
    [7, 'seventh', 'siebte'],
    [8, 'eighth', 'achte'],
    [12, 'twelfth', 'zwölfte'],
    [19, 'nineteenth', 'neunzehnte'],
    [20, 'twentieth', 'zwanzigste'],
    [22, 'twenty-second', 'zweiundzwanzigste'],
    [31, 'thirty-first', 'einunddreißigste'],
  ])('of day %i is %s, %s', (n, en, de) => {
    expect([englishOrdinal(n), germanOrdinal(n)]).toEqual([en, de]);
  });

  it.each([
    [1201, 'twelve oh one', 'zwölfhunderteins'],
    [1700, 'seventeen hundred', 'siebzehnhundert'],
    [1987, 'nineteen eighty-seven', 'neunzehnhundertsiebenundachtzig'],
    [2000, 'two thousand', 'zweitausend'],
    [2001, 'two thousand and one', 'zweitausendeins'],
    [2031, 'twenty thirty-one', 'zweitausendeinunddreißig'],
  ])('of the year %i is %s, %s', (year, en, de) => {
    expect([englishYear(year), germanYear(year)]).toEqual([en, de]);
  });

  it('are different for different numbers', () => {
    const years = Array.from({ length: 1000 }, (_, i) => 1100 + i);
    for (const say of [englishYear, germanYear]) expect(new Set(years.map(say)).size).toBe(years.length);
    const days = years.slice(0, 31).map((_, i) => i + 1);
    for (const say of [englishOrdinal, germanOrdinal]) expect(new Set(days.map(say)).size).toBe(days.length);
  });
});

it('says a day in either order, with or without its weekday', () => {
  const day = new Date('1987-05-23');
  expect(english(day, { monthFirst: false, weekday: true })).toBe(
    'Saturday, the twenty-third of May, nineteen eighty-seven',
  );
  expect(english(day, { monthFirst: true, weekday: false })).toBe('May the twenty-third, nineteen eighty-seven');
  expect(german(day, { weekday: true })).toBe('Samstag, der dreiundzwanzigste Mai neunzehnhundertsiebenundachtzig');
  expect(german(day, { weekday: false })).toBe('der dreiundzwanzigste Mai neunzehnhundertsiebenundachtzig');
});

describe('the rows', () => {
  const rows = createRows(SIZES);

  it('are as many as asked for, no two alike, half of them with a weekday', () => {
    for (const part of ['train', 'test'] as const) {
      expect(new Set(rows[part].map(({ input_text }) => input_text)).size).toBe(SIZES[part]);
      const named = rows[part].filter(({ target_text }) => /^\w+tag, |^Mittwoch, /.test(target_text)).length;
      expect(Math.abs(named / SIZES[part] - 0.5)).toBeLessThan(0.06);
    }
  });

  it('have no year on both sides', () => {
    const years = (part: 'train' | 'test') =>
      new Set(rows[part].map(({ target_text }) => target_text.split(' ').at(-1)));
    const [train, test] = [years('train'), years('test')];
    expect([...test].filter((year) => train.has(year))).toEqual([]);
    expect(train.size).toBeGreaterThan(700);
    expect(test.size).toBeGreaterThan(70);
  });

  it('of fewer are the first of more, so that one size says nothing about another', () => {
    const few = createRows({ train: 50, test: 5 });
    expect(few).toEqual({ train: rows.train.slice(0, 50), test: rows.test.slice(0, 5) });
  });

  it('have no letter that the tokenizer lacks, and come back whole', async () => {
    const made = await trainTokenizer(rows.train.flatMap(Object.values), tokenizer);
    expect(made.vocabSize).toBe(tokenizer.vocabSize);
    for (const text of rows.test.flatMap((row): string[] => Object.values(row))) {
      const ids = made.encode(text);
      expect(made.decode(ids, { skipSpecialTokens: true })).toBe(text);
      expect(ids.length).toBeLessThanOrEqual(Math.min(args.maxSeqLength!, args.maxLength!));
    }
  });
});
