import { afterAll, expect, it } from 'vitest';
import { KernelPool } from '../kernels/index.js';
import { DropoutMasks } from './dropout-masks.js';

const pools = [new KernelPool(1), new KernelPool(3)];
afterAll(() => Promise.all(pools.map((pool) => pool.dispose())));

const requests = [
  { length: 3_000_001, rate: 0.1 },
  { length: 17, rate: 0.5 },
];
const draw = async (seed: number, step: number, pool = pools[0]!) =>
  (await new DropoutMasks(seed, pool).draw(step, requests)).map((mask) => Buffer.from(mask));

it('is a function of seed, step and site, whatever the number of threads', async () => {
  const masks = await draw(1, 5);
  expect(masks.map((mask) => mask.length)).toEqual([3_000_001, 17]);
  expect(await draw(1, 5)).toEqual(masks);
  expect(await draw(1, 5, pools[1])).toEqual(masks);
  for (const other of [await draw(2, 5), await draw(1, 6)]) expect(other[0]!.equals(masks[0]!)).toBe(false);
});

it('drops the share asked for, everywhere in a mask drawn in pieces', async () => {
  const [mask] = await draw(7, 0);
  for (let start = 0; start < 3_000_000; start += 500_000) {
    const kept = mask!.subarray(start, start + 500_000).reduce((total, bit) => total + bit, 0);
    expect(Math.abs(kept / 500_000 - 0.9)).toBeLessThan(0.003);
  }
});
