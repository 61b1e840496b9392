import fc from 'fast-check';
import { expect, it } from 'vitest';
import { topK } from './top-k.js';

it('equals sorting everything, ties by lower offset', () => {
  const value = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constant(-Infinity), fc.float({ noNaN: true }));
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 60 }), fc.nat(), fc.nat(5), (list, wish, start) => {
      const count = 1 + (wish % list.length);
      const values = Float32Array.from([...Array(start).fill(99), ...list, 99]);
      const ids = new Int32Array(count + 3).fill(-1);
      const scores = new Float32Array(count + 3);
      topK(values, start, list.length, count, ids, scores, 2);

      const row = [...values.subarray(start, start + list.length)];
      const order = [...row.keys()].sort((a, b) => (row[b]! === row[a]! ? a - b : row[b]! - row[a]!)).slice(0, count);
      expect([...ids]).toEqual([-1, -1, ...order, -1]);
      expect([...scores.subarray(2, count + 2)]).toEqual(order.map((id) => row[id]!));
    }),
  );
});
