import { expect, test } from 'vitest';
import { checkFinite } from './finite.js';

test('finite numbers pass, at the edges too', () => {
  checkFinite('w', Float32Array.of(0, -0, 3.4028234663852886e38, -3.4028234663852886e38, 1e-45));
  checkFinite('w', new Float32Array(0));
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('%s is named with its place', (value) => {
  const data = new Float32Array(1000);
  data[700] = value;
  data[900] = Number.NaN;
  expect(() => checkFinite('model.shared.weight', data)).toThrow(
    `checkpoint: model.shared.weight has 2 of 1000 elements that are not finite numbers, the first at 700 (${value}). `,
  );
});
