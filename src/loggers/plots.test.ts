import { describe, expect, it } from 'vitest';
import { rangeOf, thinned, ticks } from './axis.js';
import { plotSvg, plotTerminal, type Series } from './index.js';

const falling: Series = {
  name: 'loss',
  points: Array.from({ length: 40 }, (_, i) => ({ step: 10 * (i + 1), value: 3 * Math.exp(-i / 10) + 0.5 })),
};
const evaluated: Series = {
  name: 'eval_loss',
  points: [100, 200, 300].map((step, i) => ({ step, value: 2.2 - i / 2 })),
};

describe('the terminal’s curve', () => {
  it('falls from the upper left to the lower right, between axes', () => {
    expect(`\n${plotTerminal([falling, evaluated], { width: 60, height: 10 })}`).toMatchSnapshot();
  });

  it.each([
    ['nothing', []],
    ['one point', [{ step: 7, value: 2 }]],
    ['equal values', [1, 2, 3].map((step) => ({ step, value: 5 }))],
    ['numbers that are none', [1, 2, 3].map((step) => ({ step, value: step === 2 ? Number.NaN : step }))],
    ['infinity alone', [{ step: 1, value: Number.POSITIVE_INFINITY }]],
    ['steps out of order', [100, 5, 50].map((step) => ({ step, value: step }))],
    ['a long run', Array.from({ length: 300_000 }, (_, i) => ({ step: i, value: Math.sin(i) }))],
  ])('can be drawn of %s, however narrow', (_, points) => {
    for (const width of [1, 20, 200]) {
      const drawn = plotTerminal([{ name: 'loss', points }], { width, height: 5 });
      expect(drawn).not.toMatch(/NaN|undefined|Infinity/);
      if (width >= 20)
        for (const line of drawn.trimEnd().split('\n')) expect(line.length).toBeLessThanOrEqual(Math.max(width, 29));
    }
    expect(plotSvg([{ name: 'loss', points }], { title: 't' })).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe('the picture', () => {
  it('has a title, a legend, axes and a curve for each series, and nothing that runs', () => {
    const svg = plotSvg([falling, evaluated], { title: 'a <b> & "c"' });
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg.match(/<circle/g)).toHaveLength(43);
    expect(svg).toContain('>eval_loss</text>');
    expect(svg).toContain('<title>a &#60;b&#62; &#38; &#34;c&#34;</title>');
    expect(svg).not.toMatch(/<script|<b>/);
  });
});

it('puts round numbers on axes', () => {
  expect(ticks({ low: 0.3, high: 2.9 }, 6)).toEqual([0.5, 1, 1.5, 2, 2.5]);
  expect(ticks({ low: 0, high: 1e-5 }, 4)).toEqual([0, 5e-6, 1e-5]);
  expect(ticks({ low: -20, high: 40 }, 3)).toEqual([-20, 0, 20, 40]);
});

it('keeps the peaks of a long run', () => {
  const points = Array.from({ length: 10_000 }, (_, step) => ({ step, value: step === 5_000 ? 99 : step % 2 }));
  const few = thinned(points, rangeOf([0, 9_999]), 100);
  expect(few.length).toBeLessThan(205);
  expect(Math.max(...few.map(({ value }) => value))).toBe(99);
});
