import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalShape, type Dim, evaluate, formatShape, isSymbol, product, sum, symbolsOf } from './dims.js';

const sizes = new Map(Object.entries({ a: 3, b: 5, c: 7 }));
const symbol = fc.constantFrom('a', 'b', 'c');
/** Any dimension, built by the algebra itself. */
const dim: fc.Arbitrary<Dim> = fc.letrec<{ dim: Dim }>((tie) => ({
  dim: fc.oneof(
    { maxDepth: 3 },
    fc.integer({ min: -4, max: 9 }),
    symbol,
    fc.array(tie('dim'), { maxLength: 3 }).map(product),
    fc.array(tie('dim'), { maxLength: 3 }).map(sum),
  ),
})).dim;
/** Without the sign of zero. */
const numeric = (value: Dim) => evaluate(value, sizes)! + 0;

describe('canonical form', () => {
  test.each<[Dim, Dim]>([
    [product([]), 1],
    [sum([]), 0],
    [product([2, 'batch', 3]), '6*batch'],
    [product(['sourceLength', 'batch']), 'batch*sourceLength'],
    [product(['b', 0]), 0],
    [sum([4, product(['b', 'a', 2])]), '2*a*b+4'],
    [sum(['n', 'n', 'm']), 'm+2*n'],
    [sum(['n', product([-1, 'n'])]), 0],
    [sum(['n', -1]), 'n+-1'],
    [product([sum(['n', 1]), sum(['n', -1])]), 'n*n+-1'],
    [product(['b*a*2+c+3']), '2*a*b+c+3'],
  ])('%s is %s', (value, canonical) => {
    expect(value).toBe(canonical);
  });

  test('dimensions that mean the same are the same', () => {
    fc.assert(
      fc.property(dim, dim, dim, (a, b, c) => {
        expect(product([a, b])).toBe(product([b, a]));
        expect(sum([a, b])).toBe(sum([b, a]));
        expect(product([a, product([b, c])])).toBe(product([product([a, b]), c]));
        expect(sum([a, sum([b, c])])).toBe(sum([sum([a, b]), c]));
        expect(product([a, sum([b, c])])).toBe(sum([product([a, b]), product([a, c])]));
        expect(product([a, 1])).toBe(a);
        expect(sum([a, 0])).toBe(a);
      }),
      { seed: 1 },
    );
  });

  test('a shape is brought into it', () => {
    expect(canonicalShape(['length*batch', 3, '1+n'])).toEqual(['batch*length', 3, 'n+1']);
  });
});

test('product and sum are those of the numbers the dimensions stand for', () => {
  fc.assert(
    fc.property(fc.array(dim, { maxLength: 4 }), (dims) => {
      expect(numeric(product(dims))).toBe(dims.map(numeric).reduce((a, b) => a * b, 1) + 0);
      expect(numeric(sum(dims))).toBe(dims.map(numeric).reduce((a, b) => a + b, 0));
    }),
    { seed: 1 },
  );
});

test('a dimension is unknown as long as one of its symbols is', () => {
  expect(evaluate('2*a*n+1', sizes)).toBeUndefined();
  expect(evaluate('2*a*n+1', new Map([...sizes, ['n', 2]]))).toBe(13);
  expect(evaluate(4, new Map())).toBe(4);
});

test('symbols', () => {
  expect(symbolsOf('2*a*b+a+3')).toEqual(['a', 'b']);
  expect(symbolsOf(5)).toEqual([]);
  expect(['n', 'source_length2', '2*n', 'n+1', 7].map(isSymbol)).toEqual([true, true, false, false, false]);
  expect(formatShape(['batch', 4, '2*n'])).toBe('[batch, 4, 2*n]');
});

test.each(['', 'a b', 'a-1', 'a*', '2a', 'ä', 1.5, Number.NaN, 1e300])('"%s" is refused', (value) => {
  expect(() => product([value])).toThrow(`graph: "${value}" is not a dimension.`);
});
